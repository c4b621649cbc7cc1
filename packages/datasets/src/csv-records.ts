import { FormatError } from "@kto/core";

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
    let position = 0;
    while (position < text.length) {
      const end = this.#endOfRun(text, position);
      if (end > position) {
        this.#takeRun(text.slice(position, end));
        position = end;
      } else {
        const record = this.#takeSpecial(text[position]!);
        if (record) yield record;
        position += 1;
      }
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

  /** Where the characters from `start` on stop being plain content: at a quote, and outside quotes at a separator or line end. */
  #endOfRun(text: string, start: number): number {
    if (this.#state === "quoted") {
      const quote = text.indexOf(QUOTE, start);
      return quote < 0 ? text.length : quote;
    }
    let end = start;
    while (end < text.length && !this.#isSpecial(text[end]!)) end += 1;
    return end;
  }

  #isSpecial(character: string): boolean {
    return character === this.#separator || character === QUOTE || character === "\n" || character === "\r";
  }

  #takeRun(run: string): void {
    if (this.#state !== "quoted") {
      this.#addPlain(run);
      return;
    }
    this.#cell += run;
    this.#line += run.split("\n").length - 1;
  }

  #takeSpecial(character: string): CsvRecord | undefined {
    if (this.#state === "quoted") {
      this.#state = "afterQuote";
      return undefined;
    }
    if (character === "\n") {
      this.#pendingReturn = false;
      this.#line += 1;
      return this.#endRecord();
    }
    if (this.#pendingReturn) this.#addPlain("");
    if (character === "\r") this.#pendingReturn = true;
    else if (character === this.#separator) this.#endCell();
    else if (this.#state === "start") this.#state = "quoted";
    else if (this.#state === "afterQuote") {
      this.#cell += QUOTE;
      this.#state = "quoted";
    } else this.#addPlain(QUOTE);
    return undefined;
  }

  /** Adds text outside quotes, after a carriage return that turned out not to end a line. */
  #addPlain(text: string): void {
    const added = this.#pendingReturn ? `\r${text}` : text;
    this.#pendingReturn = false;
    if (this.#state === "afterQuote") {
      throw this.#error(
        this.#line,
        "text follows a closing quote",
        "a separator or the end of the line",
        JSON.stringify(added.slice(0, 20)),
      );
    }
    this.#state = "plain";
    this.#cell += added;
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
      source: this.#name,
      line,
    });
  }
}
