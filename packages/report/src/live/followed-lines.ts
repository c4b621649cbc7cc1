import { readExactly, SourceError } from "@kto/core";
import { jsonLines } from "../run/json-lines.js";
import type { RunFolder } from "../run/run-folder.js";

/** What has come to a file of JSON lines since it was looked at last. */
export interface NewLines {
  /** True where the file is not what it was, longer: what was read of it before does not hold any more. */
  isAnew: boolean;
  values: Record<string, unknown>[];
  problems: string[];
  /** Something stands behind the last newline: a line that is being written, or that nobody will finish. */
  hasRest: boolean;
}

/** Bytes before the end of what was read, by which the file is known again: lines of a log hold times, which no other run has. */
const markLength = 256;

/** Most bytes that are read at once. */
const pieceLength = 8 * 2 ** 20;

const nothing: NewLines = { isAnew: false, values: [], problems: [], hasRest: false };

/** A file of JSON lines that grows, read from where the last reading ended. One that was cut back or written anew is noticed. */
export class FollowedLines {
  readonly #folder: RunFolder;
  readonly #file: string;
  #end = 0;
  #numLines = 0;
  #mark: Uint8Array = new Uint8Array();
  #hasRest = false;

  constructor(folder: RunFolder, file: string) {
    this.#folder = folder;
    this.#file = file;
  }

  /** The lines that were finished since, of a long file those of a piece; again until nothing comes. */
  async read(): Promise<NewLines> {
    const source = await this.#folder.open(this.#file);
    if (!source) return this.#end === 0 ? nothing : this.#anew();
    try {
      if (source.byteLength < this.#end) return this.#anew();
      if (source.byteLength === this.#end) return { ...nothing, hasRest: (this.#hasRest = false) };
      const start = this.#end - this.#mark.byteLength;
      const bytes = await readExactly(source, start, Math.min(source.byteLength, start + pieceLength));
      if (!this.#mark.every((byte, index) => bytes[index] === byte)) return this.#anew();
      return this.#take(bytes, start);
    } catch (error) {
      if (error instanceof SourceError) return { ...nothing, hasRest: this.#hasRest }; // it was cut back meanwhile: the next look sees it
      throw error;
    } finally {
      await source.dispose?.();
    }
  }

  #take(bytes: Uint8Array, start: number): NewLines {
    const from = this.#mark.byteLength;
    const end = bytes.lastIndexOf(10) + 1;
    this.#hasRest = end < bytes.byteLength;
    if (end <= from) return { ...nothing, hasRest: this.#hasRest };
    const text = new TextDecoder().decode(bytes.subarray(from, end));
    const { values, problems } = jsonLines(this.#file, text, this.#numLines);
    this.#numLines += text.split("\n").length - 1;
    this.#end = start + end;
    this.#mark = bytes.slice(Math.max(0, end - markLength), end);
    return { isAnew: false, values, problems, hasRest: this.#hasRest };
  }

  #anew(): NewLines {
    [this.#end, this.#numLines, this.#mark, this.#hasRest] = [0, 0, new Uint8Array(), false];
    return { ...nothing, isAnew: true };
  }
}
