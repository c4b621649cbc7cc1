import { HubError } from "../errors.js";
import { ask, jsonOf } from "./ask.js";
import { type PushTarget, repoApi } from "./target.js";

/** What is asked of a file before it is sent. */
export interface Comparable {
  path: string;
  size: number;
  /** Its first 512 bytes, by which the hub tells text from binary. */
  sample(): Promise<Uint8Array>;
  /** Names of its content: its sha256 for large-file storage, git's id otherwise. */
  oids(mode: UploadMode): Promise<readonly string[]>;
}

/** Whether a file goes through large-file storage or as part of the commit. */
export type UploadMode = "lfs" | "regular";

/** A file that the branch does not hold with this content. */
export interface Changed<File> {
  file: File;
  mode: UploadMode;
}

/** Files that are asked about at once, as many as Python's client does. */
const BATCH = 256;
const TIMEOUT_MS = 60_000;

/** The files whose content on the branch is another, or that it does not have. Throws HubError, also where the token may not write. */
export async function compare<File extends Comparable>(
  target: PushTarget,
  files: readonly File[],
  createPr: boolean,
): Promise<Changed<File>[]> {
  const url = `${repoApi(target)}/preupload/${encodeURIComponent(target.revision)}${createPr ? "?create_pr=1" : ""}`;
  const changed: Changed<File>[] = [];
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    const asked = await Promise.all(
      batch.map(async (file) => ({
        path: file.path,
        size: file.size,
        sample: Buffer.from(await file.sample()).toString("base64"),
      })),
    );
    const reply = jsonOf(await ask(target, { method: "POST", url, json: { files: asked }, timeoutMs: TIMEOUT_MS }), target);
    const answers = new Map((reply["files"] as Answer[] | undefined)?.map((answer) => [answer.path, answer]));
    for (const file of batch) {
      const answer = answers.get(file.path);
      if (!answer) throw noAnswer(target, file.path);
      const mode = answer.uploadMode === "lfs" && file.size > 0 ? "lfs" : "regular"; // large-file storage holds no empty file
      const isThere = typeof answer.oid === "string" && (await file.oids(mode)).includes(answer.oid);
      if (!isThere) changed.push({ file, mode });
    }
  }
  return changed;
}

interface Answer {
  path: string;
  uploadMode: unknown;
  /** Of the file of that path on the branch. */
  oid?: unknown;
}

function noAnswer({ client, repo }: PushTarget, path: string): HubError {
  return new HubError(`push: ${client.endpoint} does not say how to upload ${path}; expected an answer for every file; push again`, {
    reason: "refused",
    repo,
    file: path,
  });
}
