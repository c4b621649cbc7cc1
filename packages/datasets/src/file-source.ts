import { openSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import type { ByteSource } from "@kto/core";
import { OpenFile } from "@kto/core/node";
import { DescriptorBytes, versionOf } from "./bytes/descriptor-bytes.js";
import type { CanLast, LastingBytes } from "./bytes/lasting-bytes.js";
import { DataFileError } from "./errors.js";

/** An open file as ranges of bytes. */
export class FileSource implements ByteSource, CanLast {
  readonly byteLength: number;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #version: string;

  constructor(handle: FileHandle, path: string, stats: { size: number; mtimeMs: number; ino: number }) {
    this.#handle = handle;
    this.#path = path;
    this.#version = versionOf(stats);
    this.byteLength = stats.size;
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

  /** The same file, opened once more; it refuses to be read when it is another by now. */
  lasting(): LastingBytes {
    return new DescriptorBytes(new OpenFile(openSync(this.#path, "r")), this.#path, this.#version);
  }

  dispose(): Promise<void> {
    return this.#handle.close();
  }
}

/** Opens the file at `path`, or undefined when there is none. Throws `DataFileError` when it is a folder or not readable. */
export async function openFile(operation: string, path: string): Promise<FileSource | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return undefined;
    throw new DataFileError(`${operation}: ${path} cannot be opened (${code}); expected a readable data file; check the path`, {
      file: path,
      cause,
    });
  }
  const stats = await handle.stat();
  if (stats.isFile()) return new FileSource(handle, path, stats);
  await handle.close();
  throw new DataFileError(
    `${operation}: ${path} is not a file; expected a data file, got ${stats.isDirectory() ? "a folder" : "something else"}; name the file inside it`,
    { file: path },
  );
}

/** Opens the file at `path` for `use` and closes it afterwards. Throws `DataFileError` when it is missing, a folder or not readable. */
export async function withFile<Result>(operation: string, path: string, use: (source: ByteSource) => Promise<Result>): Promise<Result> {
  const source = await openFile(operation, path);
  if (!source) {
    throw new DataFileError(`${operation}: ${path} does not exist; expected a readable data file; check the path`, { file: path });
  }
  try {
    return await use(source);
  } finally {
    await source.dispose();
  }
}
