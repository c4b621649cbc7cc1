import type { Cut, RecordCutter } from "../bytes/record-blocks.js";

/** White space of JSON. */
export const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** What may come next between two values. */
type Expected = "the array" | "a row or the end" | "a row" | "a comma or the end" | "nothing";

/**
 * Cuts JSON whose rows go over several lines: the elements of one array, or values one after another. It follows brackets and quotes only; whether
 * what they enclose is JSON is for the parser to say, which reads each row once more.
 */
export class DocumentCutter implements RecordCutter {
  readonly #isArray: boolean;
  #expected: Expected;
  /** Where in the next bytes to go on, within a row that is not complete. */
  #at = 0;
  #depth = 0;
  #isText = false;
  /** The bytes at hand ended with a backslash in a text. */
  #isEscape = false;
  #line: number;
  /** Where the line begins, in the bytes at hand. */
  #lineStart = 0;
  /** Where the row begins that is being read. */
  #rowLine = 1;
  #rowColumn = 1;
  #failure: Cut["failure"];

  constructor(layout: "array" | "values", firstLine: number) {
    this.#line = firstLine;
    this.#isArray = layout === "array";
    this.#expected = this.#isArray ? "the array" : "a row or the end";
  }

  cut(bytes: Uint8Array, isLast: boolean): Cut {
    const cut: Cut & { columns: number[] } = { starts: [], ends: [], lines: [], columns: [], rest: 0 };
    const length = bytes.byteLength;
    let start = this.#at > 0 ? 0 : -1;
    let at = this.#at;
    while (at < length) {
      if (start < 0) {
        at = this.#next(bytes, at);
        if (at >= length) break;
        start = at;
        this.#rowLine = this.#line;
        this.#rowColumn = at - this.#lineStart + 1;
      }
      at = this.#endOfValue(bytes, at, isLast);
      if (at < 0) break;
      this.#add(cut, start, at);
      this.#expected = this.#isArray ? "a comma or the end" : "a row or the end";
      start = -1;
    }
    if (isLast && start >= 0) this.#add(cut, start, length); // cut off, which the parser says best
    else if (isLast && this.#isArray && this.#expected !== "nothing")
      this.#failure ??= { problem: "the array is never closed", line: this.#line };
    cut.failure = this.#failure;
    cut.rest = start < 0 || isLast ? length : start;
    this.#at = length - cut.rest;
    this.#lineStart -= cut.rest;
    return cut;
  }

  #add(cut: Cut & { columns: number[] }, start: number, end: number): void {
    cut.starts.push(start);
    cut.ends.push(end);
    cut.lines.push(this.#rowLine);
    cut.columns.push(this.#rowColumn);
  }

  #newLine(at: number): void {
    this.#line++;
    this.#lineStart = at + 1;
  }

  /** Where the next value begins, past what stands between two; the end of the bytes when there is none, or none that may be there. */
  #next(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.byteLength && !this.#failure; at++) {
      const byte = bytes[at]!;
      if (byte === 0x0a) this.#newLine(at);
      else if (this.#expected === "the array") this.#expected = isBlank(byte) ? "the array" : "a row or the end"; // its [
      else if (!isBlank(byte) && !this.#takesMark(byte)) return at;
    }
    return bytes.byteLength;
  }

  /** True for the comma or bracket of the array that may stand here, and for what may not and is no row. */
  #takesMark(byte: number): boolean {
    const wanted = this.#expected;
    if (wanted === "nothing") this.#failure = { problem: "something follows the end of the array", line: this.#line };
    else if (this.#isArray && byte === 0x2c && wanted === "a comma or the end") this.#expected = "a row";
    else if (this.#isArray && byte === 0x5d && wanted !== "a row") this.#expected = "nothing";
    else if (wanted === "a comma or the end") this.#failure = { problem: "a comma is missing between two rows", line: this.#line };
    else return false;
    return true;
  }

  /** Where the value ends that goes on at `from`; -1 when its end is not there yet. A value takes a byte at least. */
  #endOfValue(bytes: Uint8Array, from: number, isLast: boolean): number {
    const length = bytes.byteLength;
    let depth = this.#depth; // in variables of its own: this loop sees every byte
    let isText = this.#isText;
    let at = from;
    let end = -1;
    if (this.#isEscape) at++;
    for (; at < length && end < 0; at++) {
      const byte = bytes[at]!;
      if (isText) {
        if (byte === 0x5c) at++;
        else if (byte === 0x22) {
          isText = false;
          if (depth === 0) end = at + 1;
        } else if (byte === 0x0a) this.#newLine(at);
      } else if (byte === 0x22) isText = true;
      else if (byte === 0x7b || byte === 0x5b) depth++;
      else if (byte === 0x7d || byte === 0x5d) {
        if (depth === 0) end = Math.max(at, from + 1);
        else if (--depth === 0) end = at + 1;
      } else if (byte === 0x0a || (depth === 0 && (byte === 0x2c || isBlank(byte)))) {
        if (depth === 0) end = Math.max(at, from + 1);
        else this.#newLine(at);
      }
    }
    this.#isEscape = end < 0 && at > length;
    this.#depth = depth;
    this.#isText = isText;
    return end < 0 && isLast && depth === 0 && !isText ? length : end;
  }
}
