import type { Cut, RecordCutter } from "../bytes/record-blocks.js";

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09;

/** A cut of a table, with the number of cells of each record. */
export interface CsvCut extends Cut {
  cells: number[];
}

/**
 * Cuts CSV (RFC 4180) into records as it arrives: quoted cells may hold separators, line ends and doubled quotes; a line ends in LF, CR LF or CR, as for
 * pandas; blank lines are passed over. `fail` throws the reader's error for a quote that is never closed and for text after a closing quote.
 */
export class CsvCutter implements RecordCutter {
  readonly #separator: number;
  readonly #fail: (line: number, what: string, expected: string, got: string) => never;
  #state: "start" | "plain" | "quoted" | "afterQuote" | "closed" = "start";
  /** Where in the next bytes to go on. */
  #at = 0;
  #cells = 1;
  #isBlank = true;
  #line = 1;
  #recordLine = 1;

  constructor(separator: string, fail: (line: number, what: string, expected: string, got: string) => never) {
    this.#separator = separator.charCodeAt(0);
    this.#fail = fail;
  }

  cut(bytes: Uint8Array, isLast: boolean): CsvCut {
    const cut: CsvCut = { starts: [], ends: [], lines: [], cells: [], rest: 0 };
    const length = bytes.byteLength;
    let at = this.#at;
    while (at < length) {
      if (this.#state === "quoted") at = this.#endOfQuoted(bytes, at);
      else if (this.#state === "plain" && !this.#isBlank) at = endOfPlain(bytes, at, this.#separator);
      if (at === length) break;
      const byte = bytes[at]!;
      if (this.#state !== "quoted" && (byte === LINE_FEED || byte === RETURN)) {
        if (byte === RETURN && at + 1 === length && !isLast) break; // its LF may come with the next bytes
        this.#endRecord(cut, at);
        at += byte === RETURN && bytes[at + 1] === LINE_FEED ? 2 : 1;
        cut.rest = at;
      } else {
        this.#take(byte, bytes, at);
        at++;
      }
    }
    if (isLast) {
      if (this.#state === "quoted") this.#fail(this.#recordLine, "a quoted cell is never closed", 'a closing "', "the end of the file");
      if (cut.rest < length) this.#endRecord(cut, length);
      cut.rest = length;
    }
    this.#at = at - cut.rest;
    return cut;
  }

  /** Where the next quote stands. */
  #endOfQuoted(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.byteLength; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) return at;
      if (byte === RETURN || (byte === LINE_FEED && bytes[at - 1] !== RETURN)) this.#line++;
    }
    return bytes.byteLength;
  }

  /** A quote, or a byte outside of quotes that ends no line. */
  #take(byte: number, bytes: Uint8Array, at: number): void {
    if (this.#state === "quoted") this.#state = "afterQuote";
    else if (byte === this.#separator) {
      this.#cells++;
      this.#isBlank = false;
      this.#state = "start";
    } else if (byte === QUOTE && this.#state === "start") {
      this.#isBlank = false;
      this.#state = "quoted";
    } else if (byte === QUOTE && this.#state === "afterQuote") this.#state = "quoted";
    else if (this.#state === "afterQuote" || this.#state === "closed") {
      this.#state = "closed";
      if (!isSpace(byte)) {
        const got = new TextDecoder().decode(bytes.subarray(at, at + 20)).split(/[\r\n]/)[0]!;
        this.#fail(this.#line, "text follows a closing quote", "a separator or the end of the line", JSON.stringify(got));
      }
    } else {
      this.#state = "plain";
      if (!isSpace(byte)) this.#isBlank = false;
    }
  }

  #endRecord(cut: CsvCut, end: number): void {
    if (!this.#isBlank) {
      cut.starts.push(cut.rest);
      cut.ends.push(end);
      cut.lines.push(this.#recordLine);
      cut.cells.push(this.#cells);
    }
    this.#state = "start";
    this.#cells = 1;
    this.#isBlank = true;
    this.#line++;
    this.#recordLine = this.#line;
  }
}

/** Where the bytes of an unquoted cell end; a quote within it is one of them. */
function endOfPlain(bytes: Uint8Array, from: number, separator: number): number {
  let at = from;
  for (; at < bytes.byteLength; at++) {
    const byte = bytes[at]!;
    if (byte === separator || byte === LINE_FEED || byte === RETURN) break;
  }
  return at;
}
