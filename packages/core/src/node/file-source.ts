import { type FileHandle, open } from "node:fs/promises";
import type { ByteSource } from "../bytes/byte-source.js";
import { SourceError } from "../errors.js";

/** A file as a source; `dispose()` closes it. */
export interface FileSource extends ByteSource {
  readonly name: string;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Most bytes of one read call: the operating system refuses 2 GiB and more. */
const MAX_READ_BYTES = 2 ** 30;

/**
 * Opens a file for reading any part of it.
 *
 * @throws SourceError when it cannot be opened or is no regular file; `reason` is the system's code (`ENOENT`)
 */
export async function fileSource(path: string): Promise<FileSource> {
  const fail = (what: string, cause?: unknown): SourceError => {
    const reason = (cause as NodeJS.ErrnoException | undefined)?.code;
    return new SourceError(`fileSource: ${path}: ${what}`, { source: path, reason, cause });
  };

  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    throw fail(
      reason === "ENOENT"
        ? "no such file; expected a file to read; check the path"
        : `cannot be opened; expected a readable file, got ${reason}`,
      cause,
    );
  }
  const { size: byteLength, isFile } = await handle.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
  if (!isFile) {
    await handle.close();
    throw fail("is no regular file; expected a file, got a directory or device");
  }

  const dispose = async (): Promise<void> => handle.close();
  return {
    name: path,
    byteLength,
    async slice(start, end) {
      const bytes = new Uint8Array(end - start);
      for (let done = 0; done < bytes.byteLength;) {
        const length = Math.min(bytes.byteLength - done, MAX_READ_BYTES);
        const { bytesRead } = await handle.read(bytes, done, length, start + done).catch((cause: unknown) => {
          throw fail(`cannot be read; expected bytes [${start}, ${end}), got ${(cause as NodeJS.ErrnoException).code}`, cause);
        });
        if (bytesRead === 0) throw fail(`became shorter while it was read; expected ${end} bytes or more, got ${start + done}`);
        done += bytesRead;
      }
      return bytes;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
