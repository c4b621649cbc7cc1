import { FormatError } from "./errors.js";

/** One record of a CSV file and the line it starts on, counted from 1. */
export interface CsvRecord {
  cells: string[];
  line: number;
}

const QUOTE = '"';

/**
 * Cuts CSV text (RFC 4180) into records as it arrives: quoted cells may hold separators, line ends and doubled quotes; lines end in LF or CRLF;
 * blank lines are passed over. Throws `FormatError` with the line for a quote that is never closed or text after a closing quote.
 */
export class CsvParser {
  readonly #separator: string;
  readonly #name: string;
  #state: "start" | "plain" | "quoted" | "afterQuote" = "start";
  #cell = "";
  #cells: string[] = [];
  #line = 1;
  #recordLine = 1;
  #pendingReturn = false;

  constructor(name: string, separator: string) {
    this.#name = name;
    this.#separator = separator;
  }

  /** The records completed by the next piece of text. */
  *push(text: string): Generator<CsvRecord> {
    for (const character of text) {
      const record = this.#take(character);
      if (record) yield record;
    }
  }

  /** The last record, if the text did not end in a line end. */
  *finish(): Generator<CsvRecord> {
    if (this.#state === "quoted") {
      throw this.#error(this.#recordLine, "a quoted cell is never closed", 'a closing "', "the end of the file");
    }
    const record = this.#endRecord();
    if (record) yield record;
  }

  #take(character: string): CsvRecord | undefined {
    if (this.#state === "quoted") return this.#takeQuoted(character);
    if (this.#pendingReturn && character !== "\n") {
      this.#pendingReturn = false;
      this.#addPlain("\r");
    }
    if (character === "\n") {
      this.#pendingReturn = false;
      this.#line += 1;
      return this.#endRecord();
    }
    if (character === "\r") this.#pendingReturn = true;
    else if (character === this.#separator) this.#endCell();
    else if (character === QUOTE && this.#state === "start") this.#state = "quoted";
    else if (character === QUOTE && this.#state === "afterQuote") {
      this.#cell += QUOTE;
      this.#state = "quoted";
    } else this.#addPlain(character);
    return undefined;
  }

  #takeQuoted(character: string): undefined {
    if (character === QUOTE) {
      this.#state = "afterQuote";
      return;
    }
    if (character === "\n") this.#line += 1;
    this.#cell += character;
  }

  #addPlain(character: string): void {
    if (this.#state === "afterQuote")
      throw this.#error(this.#line, "text follows a closing quote", "a separator or the end of the line", JSON.stringify(character));
    this.#state = "plain";
    this.#cell += character;
  }

  #endCell(): void {
    this.#cells.push(this.#cell);
    this.#cell = "";
    this.#state = "start";
  }

  #endRecord(): CsvRecord | undefined {
    const blank = this.#cells.length === 0 && this.#cell === "" && this.#state === "start";
    const line = this.#recordLine;
    this.#recordLine = this.#line;
    if (blank) return undefined;
    this.#endCell();
    const cells = this.#cells;
    this.#cells = [];
    return { cells, line };
  }

  #error(line: number, what: string, expected: string, got: string): FormatError {
    return new FormatError(`readCsv: line ${line} of ${this.#name}: ${what}; expected ${expected}, got ${got}; mend that line`, {
      file: this.#name,
      line,
    });
  }
}
