import { copyFile, link, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { isKtoError } from "@kto/core";
import { HubError } from "../../errors.js";
import { formatBytes } from "./format-bytes.js";
import type { RepoFolder } from "./layout.js";

/** No space left, or none within the quota. */
const NO_SPACE: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);
/** Ways in which a file system or its settings refuse a symbolic link. */
const NO_LINKS: ReadonlySet<unknown> = new Set(["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"]);

/** A cache that can be read but not written; a folder where a file should be, or the other way round. */
const NO_NOTE: ReadonlySet<unknown> = new Set(["EROFS", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EEXIST"]);

/** A failure to write below `path` as a HubError that says what to do; `neededBytes` are those that were still to come. Other errors stay as they are. */
export function writeError(error: unknown, path: string, neededBytes?: number): unknown {
  if (isKtoError(error) || !(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (NO_SPACE.has(code)) return noSpace(path, neededBytes, undefined, error);
  return new HubError(
    `hub: cannot write to the cache at ${path}; expected a folder that can be written, got ${code} (${error.message}); check its permissions, or set HF_HUB_CACHE to another folder`,
    { reason: "cache", cause: error },
  );
}

/** The disk is full, or would be. */
export function noSpace(path: string, neededBytes: number | undefined, freeBytes?: number, cause?: unknown): HubError {
  const needed = neededBytes === undefined ? "room" : `${formatBytes(neededBytes)} more`;
  const got = freeBytes === undefined ? "no space left" : `${formatBytes(freeBytes)} free`;
  return new HubError(
    `hub: not enough room on the disk of ${dirname(path)}; expected ${needed}, got ${got}; free some space or set HF_HUB_CACHE to a folder on another disk, and run it again: what was downloaded is kept`,
    { reason: "noSpace", cause },
  );
}

/**
 * Writes a small file that saves later runs a request; it is seen whole or not at all. A cache that is mounted read-only does without.
 */
export async function writeNote(folder: RepoFolder, path: string, text: string): Promise<void> {
  await replacing(folder, path, async (temporary) => writeFile(temporary, text)).catch((error: unknown) => {
    if (!NO_NOTE.has((error as NodeJS.ErrnoException).code)) throw writeError(error, path);
  });
}

/**
 * Puts a blob under the name of a file: a relative symbolic link, where that is impossible a second name of the same file, or a copy.
 * Replaces what is there.
 */
export async function linkBlob(folder: RepoFolder, blob: string, path: string): Promise<void> {
  await replacing(folder, path, async (temporary) => {
    try {
      await symlink(relative(dirname(path), blob), temporary, "file");
    } catch (error) {
      if (!NO_LINKS.has((error as NodeJS.ErrnoException).code)) throw error;
      await link(blob, temporary).catch(async () => copyFile(blob, temporary)); // no hard links either
    }
  }).catch((error: unknown) => {
    throw writeError(error, path);
  });
}

/** Makes a file elsewhere in the repository's folder and then gives it its name. */
async function replacing({ temporary }: RepoFolder, path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const made = temporary();
  await mkdir(dirname(path), { recursive: true });
  try {
    await make(made);
    await rename(made, path);
  } catch (error) {
    await rm(made, { force: true });
    throw error;
  }
}
