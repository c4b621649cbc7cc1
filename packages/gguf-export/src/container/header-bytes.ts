import { type ByteSource, excerpt, FormatError, readExactly } from "@kto/core";
import { MAX_HEADER_BYTES } from "./limits.js";

/** Bytes that are read at once. */
const WINDOW_BYTES = 2 ** 20;

/** Reads the header of a file from its start, a window at a time; no length is believed before its bytes are there. */
export class HeaderBytes {
  /** Bytes read so far. */
  position = 0;
  readonly #source: ByteSource;
  /** Where bytes end that may belong to the header. */
  readonly #end: number;
  #window = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #windowStart = 0;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(source: ByteSource) {
    this.#source = source;
    this.#end = Math.min(source.byteLength, MAX_HEADER_BYTES);
  }

  /** The error of this file: what is wrong at the place `what`. */
  fail(problem: string, facts: { tensor?: string; cause?: unknown } = {}): FormatError {
    const where = this.#source.name === undefined ? "" : `${this.#source.name}: `;
    return new FormatError(`openGguf: ${where}${problem}`, { source: this.#source.name, ...facts });
  }

  async u32(what: string): Promise<number> {
    const at = await this.#take(4, what);
    return this.#view.getUint32(at, true);
  }

  /** A count, length or offset: a u64 that is at most `most`. */
  async count(what: string, most: number): Promise<number> {
    const at = await this.#take(8, what);
    const value = this.#view.getBigUint64(at, true);
    if (value > BigInt(most)) throw this.fail(`${what} is too large; expected at most ${most}, got ${value}`);
    return Number(value);
  }

  async text(what: string, mostBytes: number): Promise<string> {
    const byteLength = await this.count(`the length of ${what}`, mostBytes);
    const at = await this.#take(byteLength, what);
    const bytes = this.#window.subarray(at, at + byteLength);
    try {
      return this.#decoder.decode(bytes);
    } catch (cause) {
      throw this.fail(`${what} is no valid UTF-8; expected UTF-8, got bytes ${excerpt(bytes)}`, { cause });
    }
  }

  /** A copy of the next bytes, in memory of its own. */
  async bytes(byteLength: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    const at = await this.#take(byteLength, what);
    return this.#window.slice(at, at + byteLength);
  }

  /** Throws unless so many bytes can follow: asked before memory is taken for what a count claims. */
  expectRoom(byteLength: number, what: string): void {
    if (byteLength <= this.#end - this.position) return;
    const left = this.#source.byteLength - this.position;
    throw left < byteLength
      ? this.fail(`the file ends in ${what}; expected at least ${byteLength} more bytes, got ${left}; it is truncated or damaged`)
      : this.fail(`the header is too long, in ${what}; expected at most ${MAX_HEADER_BYTES} bytes before the data`);
  }

  /** Where the next bytes lie in the window, which then holds all of them. */
  async #take(byteLength: number, what: string): Promise<number> {
    this.expectRoom(byteLength, what);
    if (this.position + byteLength > this.#windowStart + this.#window.byteLength) {
      const end = Math.min(this.position + Math.max(byteLength, WINDOW_BYTES), this.#source.byteLength);
      this.#window = new Uint8Array(await readExactly(this.#source, this.position, end));
      this.#view = new DataView(this.#window.buffer);
      this.#windowStart = this.position;
    }
    const at = this.position - this.#windowStart;
    this.position += byteLength;
    return at;
  }
}
