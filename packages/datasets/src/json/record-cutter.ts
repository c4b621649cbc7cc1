import type { Cut, RecordCutter } from "../bytes/record-blocks.js";
import { DocumentCutter, isBlank } from "./document-cutter.js";

const NEWLINE = 0x0a;

/**
 * Cuts JSON into the texts of its rows, and sees from the text in which of its three layouts it is: an array of rows; a row on each line; or rows
 * that go over several lines, one after the other, which is so when the first line is no complete value.
 */
export class JsonCutter implements RecordCutter {
  #cutter: RecordCutter | undefined;
  #line = 1;
  /** How much of the next bytes is known not to end the first row's line. */
  #searched = 0;

  /** True when each row has a line of its own: known with the first row. */
  get isLines(): boolean {
    return this.#cutter instanceof LineCutter;
  }

  cut(bytes: Uint8Array, isLast: boolean): Cut {
    let first = 0;
    if (!this.#cutter) {
      while (first < bytes.byteLength && isBlank(bytes[first]!)) first++;
      this.#cutter = this.#cutterFor(bytes, first, isLast);
    }
    if (this.#cutter) return this.#cutter.cut(bytes, isLast);
    for (let at = 0; at < first; at++) if (bytes[at] === NEWLINE) this.#line++;
    return { starts: [], ends: [], lines: [], rest: first };
  }

  /** The layout of the text, or undefined while too little of it is there. */
  #cutterFor(bytes: Uint8Array, first: number, isLast: boolean): RecordCutter | undefined {
    if (first === bytes.byteLength) return undefined;
    if (bytes[first] === 0x5b) return new DocumentCutter("array", this.#line);
    const newline = bytes.indexOf(NEWLINE, Math.max(first, this.#searched));
    this.#searched = bytes.byteLength - first;
    if (newline < 0 && !isLast) return undefined;
    const line = bytes.subarray(first, newline < 0 ? bytes.byteLength : newline);
    return isComplete(line) ? new LineCutter(this.#line) : new DocumentCutter("values", this.#line);
  }
}

/** False when a line ends inside of a list or an object, and not in a text, which cannot go over a line's end. */
function isComplete(line: Uint8Array): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < line.length; at++) {
    const byte = line[at];
    if (byte === 0x22) isText = !isText;
    else if (isText && byte === 0x5c) at++;
    else if (!isText && (byte === 0x7b || byte === 0x5b)) depth++;
    else if (!isText && (byte === 0x7d || byte === 0x5d)) depth--;
  }
  return isText || depth <= 0;
}

/** Cuts at the ends of lines; blank lines are passed over. */
class LineCutter implements RecordCutter {
  #line: number;
  /** How much of the next bytes is known to hold no end of a line. */
  #searched = 0;

  constructor(firstLine: number) {
    this.#line = firstLine;
  }

  cut(bytes: Uint8Array, isLast: boolean): Cut {
    const cut: Cut & { columns: number[] } = { starts: [], ends: [], lines: [], columns: [], rest: 0 };
    while (cut.rest < bytes.byteLength) {
      const newline = bytes.indexOf(NEWLINE, cut.rest > 0 ? cut.rest : this.#searched);
      if (newline < 0 && !isLast) break;
      const end = newline < 0 ? bytes.byteLength : newline;
      let start = cut.rest;
      while (start < end && isBlank(bytes[start]!)) start++;
      if (start < end) {
        cut.starts.push(start);
        cut.ends.push(end);
        cut.lines.push(this.#line);
        cut.columns.push(start - cut.rest + 1);
      }
      this.#line++;
      cut.rest = Math.min(end + 1, bytes.byteLength);
    }
    this.#searched = bytes.byteLength - cut.rest;
    return cut;
  }
}
