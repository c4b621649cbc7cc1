import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { HubError } from "../errors.js";
import { checkFileName } from "../file-name.js";
import { filterFiles } from "../glob.js";
import { holdsSecret, nameOfSecret, nameOfWork } from "./left-out.js";

/** A file of a folder. */
export interface FolderFile {
  /** From the folder, with `/`. */
  path: string;
  /** Where it lies. */
  source: string;
  size: number;
  mtimeMs: number;
}

/** A file or folder that is not pushed. */
export interface LeftOutFile {
  path: string;
  /**
   * `secret`: a token or key, by its name or what is in it; `link`: a symbolic link out of the folder, to a folder, or to nothing;
   * `checkpoint`: nobody asked for it; `work`: hidden, a lock, or a file that something was writing; `special`: neither a file nor a folder.
   */
  reason: "secret" | "link" | "checkpoint" | "work" | "special";
}

/** What is chosen of a folder. */
export interface FolderChoice {
  include?: readonly string[] | undefined;
  exclude?: readonly string[] | undefined;
  checkpoints?: boolean | undefined;
}

const CHECKPOINT = /^checkpoint-\d+$/;

/**
 * The files of a folder that are pushed, by path, and what stays behind. Links to files inside the folder are followed; so are those of a snapshot in the
 * hub's cache to its blobs.
 *
 * @throws HubError when there is no such folder, none of its files is left, or one cannot be read
 */
export async function folderFiles(
  folder: string,
  { include, exclude, checkpoints = false }: FolderChoice,
): Promise<{ files: FolderFile[]; leftOut: LeftOutFile[] }> {
  // prettier-ignore
  const root = await realpath(folder).catch((cause: unknown) => {
    throw unreadable(folder, cause, "check the path");
  });
  const inside = [root, ...blobsOf(root)];
  const found: FolderFile[] = [];
  const leftOut: LeftOutFile[] = [];
  const walk = async (at: string): Promise<void> => {
    const entries = await readdir(at, { withFileTypes: true }).catch((cause: unknown) => {
      throw unreadable(at, cause, at === root ? "check the path" : "check its permissions, or leave it out with exclude");
    });
    for (const entry of entries) {
      const source = join(at, entry.name);
      const path = relative(root, source).split(sep).join("/");
      const leave = (reason: LeftOutFile["reason"]): void => void leftOut.push({ path, reason });
      if (nameOfSecret(entry.name)) leave("secret");
      else if (nameOfWork(entry.name)) leave("work");
      else if (entry.isDirectory()) {
        if (!checkpoints && at === root && CHECKPOINT.test(entry.name)) leave("checkpoint");
        else await walk(source);
      } else if (entry.isSymbolicLink()) {
        const target = await realpath(source).catch(() => undefined);
        const stats = target !== undefined && inside.some((place) => target.startsWith(place + sep)) ? await stat(target) : undefined;
        if (stats?.isFile() && !nameOfSecret(basename(target!))) found.push({ path, source, size: stats.size, mtimeMs: stats.mtimeMs });
        else leave("link");
      } else if (entry.isFile()) {
        const { size, mtimeMs } = await stat(source);
        found.push({ path, source, size, mtimeMs });
      } else leave("special");
    }
  };
  await walk(root);
  const chosen = filterFiles(found, include, exclude).sort((a, b) => (a.path < b.path ? -1 : 1));
  const files: FolderFile[] = [];
  for (const file of chosen) {
    checkFileName(file.path, folder);
    if (await readable(file, holdsSecret)) leftOut.push({ path: file.path, reason: "secret" });
    else files.push(file);
  }
  if (files.length > 0) return { files, leftOut };
  throw new HubError(
    `push: ${folder} has nothing to push; expected at least one file, got ${found.length + leftOut.length} of which none is chosen; check the path, include and exclude`,
    { reason: "fileName", file: folder },
  );
}

async function readable<T>(file: FolderFile, read: (file: FolderFile) => Promise<T>): Promise<T> {
  return read(file).catch((cause: unknown) => {
    throw unreadable(file.source, cause, "check its permissions, or leave it out with exclude");
  });
}

/** Where the links of a snapshot in the hub's cache lead to. */
function blobsOf(root: string): string[] {
  return basename(dirname(root)) === "snapshots" ? [resolve(root, "..", "..", "blobs")] : [];
}

function unreadable(path: string, cause: unknown, advice: string): HubError {
  const code = (cause as NodeJS.ErrnoException).code;
  const got = code === "ENOENT" ? "no such path" : code === "ENOTDIR" ? "a file" : code;
  return new HubError(`push: ${path} cannot be read; expected a folder with files, got ${got}; ${advice}`, {
    reason: "fileName",
    file: path,
    cause,
  });
}
