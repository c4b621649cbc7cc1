import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { writeError } from "../cache/write.js";
import { RangeSet } from "./range-set.js";

/**
 * A file on its way: a file of its final size with holes, and beside it a text file with a line `start end` for each range that is there. A range
 * is noted after its bytes are written, so that a process killed at any moment leaves notes that are true. After a power cut they may not be: the
 * digest of the whole decides in the end.
 *
 * The first line is the size: with another one the file begins again.
 */
export class IncompleteFile implements AsyncDisposable {
  readonly path: string;
  readonly size: number;
  readonly ranges: RangeSet = new RangeSet();
  readonly #bytes: FileHandle;
  readonly #notes: FileHandle;

  private constructor(path: string, size: number, bytes: FileHandle, notes: FileHandle) {
    this.path = path;
    this.size = size;
    this.#bytes = bytes;
    this.#notes = notes;
  }

  /** Opens what an earlier run left at `path`, or begins. Throws HubError when it cannot be written. */
  static async open(path: string, size: number): Promise<IncompleteFile> {
    let bytes: FileHandle | undefined;
    try {
      await mkdir(dirname(path), { recursive: true });
      bytes = await open(path, constants.O_RDWR | constants.O_CREAT);
      const { size: length } = await bytes.stat();
      const ranges = await readNotes(notesPath(path), size, length);
      if (ranges.byteLength === 0 && length > 0) await bytes.truncate(0);
      const lines = ranges.ranges.map(({ start, end }) => `${start} ${end}\n`);
      await writeFile(`${notesPath(path)}-new`, [`${size}\n`, ...lines]); // shorter than before, or without what a cut left at its end
      await rename(`${notesPath(path)}-new`, notesPath(path));
      const file = new IncompleteFile(path, size, bytes, await open(notesPath(path), "a"));
      for (const { start, end } of ranges.ranges) file.ranges.add(start, end);
      return file;
    } catch (error) {
      await bytes?.close();
      throw writeError(error, path, size);
    }
  }

  /** Puts bytes in their place. Throws HubError when the disk is full, or cannot be written. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      for (let at = 0; at < bytes.byteLength;) {
        const { bytesWritten } = await this.#bytes.write(bytes, at, bytes.byteLength - at, position + at);
        at += bytesWritten;
      }
      await this.#notes.appendFile(`${position} ${position + bytes.byteLength}\n`);
    } catch (error) {
      throw writeError(error, this.path, this.size - this.ranges.byteLength);
    }
    this.ranges.add(position, position + bytes.byteLength);
  }

  /** Forgets what is there. */
  async clear(): Promise<void> {
    try {
      await this.#notes.truncate(0);
      await this.#notes.appendFile(`${this.size}\n`);
      await this.#bytes.truncate(0);
    } catch (error) {
      throw writeError(error, this.path);
    }
    this.ranges.clear();
  }

  /** Makes sure that the bytes are on the disk, and gives the file its name. */
  async finish(path: string): Promise<void> {
    try {
      await this.#bytes.sync();
      await rename(this.path, path);
      await rm(notesPath(this.path), { force: true });
    } catch (error) {
      throw writeError(error, path);
    }
  }

  /** Removes it. */
  async remove(): Promise<void> {
    await removeIncomplete(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bytes.close();
    await this.#notes.close();
  }
}

/** Removes a file on its way with its notes, or notes that a process killed at its very end left behind. */
export async function removeIncomplete(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(notesPath(path), { force: true });
}

const notesPath = (path: string): string => path.replace(/\.kto-incomplete$/, ".kto-ranges");

/** The ranges that a file of `length` bytes can hold; none when the notes are of a file of another size. */
async function readNotes(path: string, size: number, length: number): Promise<RangeSet> {
  const ranges = new RangeSet();
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1); // what has no line end was cut
  if (lines[0] !== String(size)) return ranges;
  for (const line of lines.slice(1)) {
    const [, start, end] = /^(\d+) (\d+)$/.exec(line) ?? [];
    if (end !== undefined) ranges.add(Number(start), Math.min(Number(end), length, size));
  }
  return ranges;
}
