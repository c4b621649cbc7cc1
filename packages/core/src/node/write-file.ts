import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { isKtoError, WriteError } from "../errors.js";
import type { ByteSink } from "../store.js";

/** Most bytes of one write call: the operating system refuses 2 GiB and more. */
const MAX_WRITE_BYTES = 2 ** 30;

/** What a code of the system means, and what to do. */
const explanations: Readonly<Record<string, readonly [meaning: string, advice: string]>> = {
  ENOSPC: ["the disk is full", "free some space and save again"],
  EDQUOT: ["the disk quota is used up", "free some space and save again"],
  ENOENT: ["the folder does not exist", "create it first"],
  EACCES: ["permission denied", "choose another folder"],
  EPERM: ["permission denied", "choose another folder"],
  EROFS: ["the file system is read-only", "choose another folder"],
  ENOTDIR: ["a part of the path is a file", "choose another path"],
  EEXIST: ["a file of that name is in the way", "choose another path"],
  EFBIG: ["the file system takes no file of that size", "choose another folder"],
  EIO: ["the disk failed", "save to another one"],
};

/**
 * Writes a file whole or not at all: into a temporary file beside it, which takes its place only when it is complete and on the disk.
 * When anything fails the temporary file is removed, and what was at `path` stays as it was.
 *
 * @throws WriteError when the file system refuses (`reason: "ENOSPC"` for a full disk); what `produce` throws otherwise
 */
export async function writeFileAtomic<T>(path: string, produce: (sink: ByteSink) => Promise<T>): Promise<T> {
  const temporaryPath = temporaryBeside(path);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporaryPath, "wx");
    const result = await produce(handleSink(handle));
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporaryPath, path);
    return result;
  } catch (cause) {
    await handle?.close().catch(() => undefined);
    await rm(temporaryPath, { force: true }).catch(() => undefined);
    throw writeFailure("writeFileAtomic", path, cause);
  }
}

/** A name beside `path` that nothing has, for what is in the making or on its way out. */
export function temporaryBeside(path: string): string {
  return `${path}.${randomUUID().slice(0, 8)}.tmp`;
}

/** A failure of the file system as a WriteError that says what to do; anything else as it is. */
export function writeFailure(operation: string, path: string, cause: unknown, kept = "what was there before is unchanged"): unknown {
  const { code: reason, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  if (isKtoError(cause) || syscall === undefined) return cause;
  const [meaning, advice] = explanations[reason ?? ""] ?? ["the file system refused", undefined];
  return new WriteError(
    {
      operation,
      problem: `${path} was not written`,
      expected: `${syscall} to succeed`,
      got: `${reason}: ${meaning}`,
      advice: advice === undefined ? kept : `${advice}; ${kept}`,
    },
    reason === undefined ? { path, cause } : { path, reason, cause },
  );
}

/** An open file as a sink that takes all of every array. */
export function handleSink(handle: FileHandle): ByteSink {
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.byteLength;) {
        const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.byteLength - done, MAX_WRITE_BYTES));
        done += bytesWritten;
      }
    },
  };
}
