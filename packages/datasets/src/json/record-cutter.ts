import type { Cut, RecordCutter } from "../bytes/record-blocks.js";
import { DocumentCutter, isBlank } from "./document-cutter.js";

const NEWLINE = 0x0a;

/**
 * Cuts JSON into the texts of its rows, and sees from the text in which of its three layouts it is: an array of rows; a row on each line; or rows
 * that go over several lines, one after the other, which is so when the first line is no complete value.
 */
export class JsonCutter implements RecordCutter {
  #cutter: RecordCutter | undefined;
  /** How much of the text is known not to end its first line. */
  #searched = 0;

  /** True when each row has a line of its own: known with the first row. */
  get isLines(): boolean {
    return this.#cutter instanceof LineCutter;
  }

  cut(bytes: Uint8Array, isLast: boolean): Cut {
    this.#cutter ??= this.#cutterFor(bytes, isLast);
    return this.#cutter?.cut(bytes, isLast) ?? { starts: [], ends: [], lines: [], rest: 0 };
  }

  /** The layout of the text, or undefined while too little of it is there. */
  #cutterFor(bytes: Uint8Array, isLast: boolean): RecordCutter | undefined {
    const first = bytes.findIndex((byte) => !isBlank(byte));
    if (bytes[first] === 0x5b) return new DocumentCutter("array");
    const newline = first < 0 ? -1 : bytes.indexOf(NEWLINE, Math.max(first, this.#searched));
    this.#searched = bytes.byteLength;
    if (newline < 0 && !isLast) return undefined;
    const line = first < 0 ? bytes : bytes.subarray(first, newline < 0 ? bytes.byteLength : newline);
    return isComplete(line) ? new LineCutter() : new DocumentCutter("values");
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
  #line = 1;
  /** How much of the next bytes is known to hold no end of a line. */
  #searched = 0;

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
