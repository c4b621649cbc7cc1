import { HubError } from "../errors.js";
import { Connections } from "../node/transfer/connections.js";
import { ProgressReport } from "../node/transfer/progress.js";
import { checkFileName } from "../file-name.js";
import { Commits, currentCommit } from "./commit.js";
import { compare } from "./compare.js";
import { type Content, fileContent, madeContent } from "./content.js";
import { ensureRepo } from "./ensure-repo.js";
import { folderFiles } from "./folder-files.js";
import type { PushOptions, PushResult } from "./options.js";
import { openTarget, type PushTarget } from "./target.js";
import { uploadLarge, type UploadWay } from "./upload-large.js";

/** As many as Python's client has. */
const WORKERS = 5;

/**
 * Pushes a folder to the hub as one commit: until that is made nothing of it is seen. The repository is made where there is none, and the branch that
 * is named; large and binary files go through large-file storage, several at once, in parts where the hub wants it. What the hub has is not sent again,
 * nor are parts of a file that arrived before an earlier push was cut or killed. Cut connections, 429 and 5xx are tried again.
 *
 * Secrets, symbolic links out of the folder, hidden files, locks, temporary files and checkpoints stay behind; `onLeftOut` is told.
 *
 * @throws HubError that says what to do: no token, a token that may not write (401, 403), a branch that keeps moving (409), nothing to push, a private
 *   push to a repository that is public; the signal's reason
 */
export async function pushFolder(folder: string, options: PushOptions): Promise<PushResult> {
  const target = openTarget(options);
  const { signal } = target.client;
  try {
    const contents = await contentsOf(folder, options, target);
    if (!options.createPr) await ensureRepo(target, options.private);
    return await publish(target, contents, options);
  } catch (error) {
    signal?.throwIfAborted();
    throw withAdvice(error, target);
  }
}

/** What is pushed, by path. */
async function contentsOf(folder: string, options: PushOptions, { client, repo }: PushTarget): Promise<Content[]> {
  const made = Object.entries(options.files ?? {});
  const { files, leftOut } = await folderFiles(folder, options);
  for (const file of leftOut) options.onLeftOut?.(file);
  const contents = new Map(
    files.map((file) => {
      const hashing = new ProgressReport(options.onProgress, repo, file.path, file.size);
      return [file.path, fileContent(file, client.signal, (count) => hashing.hashed(count))] as const;
    }),
  );
  for (const [path, content] of made) contents.set(checkFileName(path, repo), madeContent(path, content));
  return [...contents.values()];
}

async function publish(target: PushTarget, contents: readonly Content[], options: PushOptions): Promise<PushResult> {
  const { createPr = false, commitMessage: message = "Upload folder", maxWorkers = WORKERS, cacheDir, onProgress } = options;
  const reports = new Map(contents.map((content) => [content, new ProgressReport(onProgress, target.repo, content.path, content.size)]));
  const reportOf = (content: Content): ProgressReport => reports.get(content)!;
  const way: UploadWay = { target, connections: new Connections(maxWorkers), createPr, cacheDir, reportOf };
  const commits = new Commits(target, { message, createPr });
  const pushed = new Set<Content>();
  for (let isFirst = true; ; isFirst = false) {
    const changed = await compare(target, contents, createPr);
    const files = new Set(changed.map(({ file }) => file));
    if (isFirst) for (const content of contents) if (!files.has(content)) reportOf(content).cached();
    await uploadLarge(way, changed.flatMap(({ file, mode }) => (mode === "lfs" ? [file] : []))); // prettier-ignore
    for (const file of files) pushed.add(file);
    // On a later round nothing left to change means that the commit was made, and its answer lost.
    const commit = changed.length === 0 ? await currentCommit(target) : await commits.attempt(changed);
    if (!commit) continue;
    for (const content of pushed) reportOf(content).done();
    return { ...commit, changed: [...pushed].map(({ path }) => path).sort() };
  }
}

/** An error of the network, with what it means for the push. */
function withAdvice(error: unknown, { repo }: PushTarget): unknown {
  if (!(error instanceof HubError) || error.reason !== "unreachable" || error.message.startsWith("push:")) return error;
  const { reason, status, file, cause } = error;
  return new HubError(`push: ${error.message.replace(/^hub: /, "")}; then push to ${repo} again: what has arrived is kept, and nothing is seen of it until then`, { reason, repo, status, file, cause }); // prettier-ignore
}
