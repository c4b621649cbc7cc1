import { open, type FileHandle } from "node:fs/promises";

import { DataFileError } from "./errors.js";
import type { ByteSource } from "./source.js";

/** An open file as ranges of bytes, closed by `withFile`. */
class FileSource implements ByteSource {
  readonly byteLength: number;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, byteLength: number) {
    this.#handle = handle;
    this.byteLength = byteLength;
  }

  async slice(start: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    while (filled < bytes.byteLength) {
      const { bytesRead } = await this.#handle.read(bytes, filled, bytes.byteLength - filled, start + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }
}

/** Opens the file at `path` for `use` and closes it afterwards. Throws `DataFileError` when it is missing, a folder or not readable. */
export async function withFile<Result>(operation: string, path: string, use: (source: ByteSource) => Promise<Result>): Promise<Result> {
  const handle = await opened(operation, path);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      throw new DataFileError(
        `${operation}: ${path} is not a file; expected a data file, got ${stats.isDirectory() ? "a folder" : "something else"}; name the file inside it`,
        {
          file: path,
        },
      );
    }
    return await use(new FileSource(handle, stats.size));
  } finally {
    await handle.close();
  }
}

async function opened(operation: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const what = code === "ENOENT" ? "does not exist" : `cannot be opened (${code})`;
    throw new DataFileError(`${operation}: ${path} ${what}; expected a readable data file; check the path`, { file: path, cause });
  }
}
