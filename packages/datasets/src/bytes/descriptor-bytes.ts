import { fstatSync } from "node:fs";
import type { OpenFile } from "@kto/core/node";
import { DataFileError } from "../errors.js";
import type { LastingBytes } from "./lasting-bytes.js";

/** An open file as bytes that are the same for as long as they are wanted, or refused. */
export class DescriptorBytes implements LastingBytes {
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #version: string | undefined;

  /** @param version  what `versionOf` says of the file as it must be; undefined for one that grows */
  constructor(file: OpenFile, path: string, version?: string) {
    this.#file = file;
    this.#path = path;
    this.#version = version;
  }

  read(start: number, end: number): Uint8Array {
    const bytes = this.#file.read(start, end);
    const isSame = this.#version === undefined || versionOf(fstatSync(this.#file.descriptor)) === this.#version;
    if (isSame && bytes.byteLength === end - start) return bytes;
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
