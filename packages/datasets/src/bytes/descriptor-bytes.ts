import { closeSync, fstatSync, readSync } from "node:fs";
import { DataFileError } from "../errors.js";
import type { LastingBytes } from "./lasting-bytes.js";

/** Closes files whose reader is gone. */
const open = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/** Most bytes of one read call: the operating system refuses 2 GiB and more. */
const MAX_READ_BYTES = 2 ** 30;

/** An open file that is read at once. It is closed when nothing reads from it any more. */
export class DescriptorBytes implements LastingBytes {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #version: string | undefined;

  /** @param version  what `versionOf` says of the file as it must be; undefined for one that grows */
  constructor(descriptor: number, path: string, version?: string) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#version = version;
    open.register(this, descriptor);
  }

  read(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    while (filled < bytes.byteLength) {
      const length = Math.min(bytes.byteLength - filled, MAX_READ_BYTES);
      const count = readSync(this.#descriptor, bytes, filled, length, start + filled);
      if (count === 0) break;
      filled += count;
    }
    const isSame = this.#version === undefined || versionOf(fstatSync(this.#descriptor)) === this.#version;
    if (isSame && filled === bytes.byteLength) return bytes;
    throw new DataFileError(
      `read: ${this.#path} was changed while its rows were being read; expected the file that was opened, got another; start again, and leave it alone meanwhile`,
      { file: this.#path },
    );
  }
}

/** What tells a file from what it was before something was written to it. */
export function versionOf({ size, mtimeMs, ino }: { size: number; mtimeMs: number; ino: number }): string {
  return `${ino} ${size} ${mtimeMs}`;
}
