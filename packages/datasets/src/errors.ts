import { type ErrorParts, type ErrorText, KtoError } from "@kto/core";
import { RowSet } from "./row-set.js";

/** A data file that cannot be used at all: it is missing, empty, a folder, or of an unknown kind. */
export class DataFileError extends KtoError {
  override name = "DataFileError";
  readonly file: string | undefined;

  constructor(text: ErrorText, facts: { file?: string; cause?: unknown } = {}) {
    super("DATA_FILE", text, { cause: facts.cause });
    this.file = facts.file;
  }
}

/** What is wrong with a row, without its number. */
export interface RowProblem {
  problem: string;
  expected: string;
  got: string;
  /** What to do; default: mend the row. */
  advice?: string;
  column?: string;
  cause?: unknown;
}

/** Rows that training cannot use: a column is missing or of the wrong type, or they are of a layout that is not read. */
export class RowError extends KtoError {
  override name = "RowError";
  /** Index of the first such row in its dataset, counted from 0. */
  readonly row: number;
  readonly column: string | undefined;
  /** One sentence for each kind of mistake in the rows; the message is these, a line each. */
  readonly mistakes: readonly string[];

  constructor(text: ErrorText, facts: { row: number; column?: string | undefined; mistakes?: readonly string[]; cause?: unknown }) {
    super("ROW", text, { cause: facts.cause });
    this.row = facts.row;
    this.column = facts.column;
    this.mistakes = facts.mistakes ?? [this.message];
  }
}

/** The error of one row: `row 3: problem; expected …, got …; mend row 3 (counted from 0)`. */
export function rowError(row: number, { problem, expected, got, advice, column, cause }: RowProblem): RowError {
  return new RowError({ operation: `row ${row}`, problem, expected, got, advice: advice ?? mendRow(row) }, { row, column, cause });
}

/** What to do about a row where nothing better is known. */
function mendRow(row: number): string {
  return `mend or remove row ${row} (counted from 0)`;
}

/** Kinds of mistakes that are told at most. */
const maxKinds = 10;

/** Collects what is wrong with rows, so that all of it is told at once: a sentence for each kind of mistake, with the rows that have it. */
export class RowMistakes {
  readonly #kinds = new Map<string, { first: RowError; rows: RowSet }>();

  /** What `read` gives, or undefined where it throws a RowError, which is kept. */
  try<Value>(read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      this.add(error);
      return undefined;
    }
  }

  /** Keeps the error of one row. */
  add(error: RowError): void {
    const key = `${error.column ?? ""}: ${error.parts?.problem ?? error.message}`;
    const kind = this.#kinds.get(key);
    if (kind) kind.rows.add(error.row);
    else {
      const rows = new RowSet();
      rows.add(error.row);
      this.#kinds.set(key, { first: error, rows });
    }
  }

  /** Throws the RowError of everything that was kept, if anything was. `numRows` is how many rows were looked at. */
  throwIfAny(numRows: number): void {
    const kinds = [...this.#kinds.values()];
    if (kinds.length === 0) return;
    const { first } = kinds[0]!;
    if (kinds.length === 1 && kinds[0]!.rows.size === 1) throw first;
    const told = kinds.slice(0, maxKinds).map((kind) => sentence(kind, numRows));
    const left = kinds.length - told.length;
    const mistakes = left > 0 ? [...told, `and ${left} more kinds of mistakes; mend these first`] : told;
    throw new RowError(mistakes.join("\n"), { row: first.row, column: first.column, mistakes, cause: first.cause });
  }
}

function sentence({ first, rows }: { first: RowError; rows: RowSet }, numRows: number): string {
  const parts: ErrorParts | undefined = first.parts;
  if (rows.size === 1 || parts === undefined) return first.message;
  const isOwn = parts.advice !== undefined && parts.advice !== mendRow(first.row);
  const every = rows.size === numRows;
  const operation = every ? `row ${first.row} and every other` : `row ${first.row} and ${rows.size - 1} more`;
  const advice = isOwn ? parts.advice : every ? "mend the rows" : "mend or remove them";
  const numbers = every ? "" : `: rows ${listed(rows)} (counted from 0)`;
  return new RowError({ ...parts, operation, advice: `${advice}${numbers}` }, { row: first.row }).message;
}

/** Names or numbers for a message: the first few, then how many there are besides. */
export function listed(items: Iterable<string | number>, most = 10): string {
  const shown: (string | number)[] = [];
  let left = 0;
  for (const item of items) {
    if (shown.length < most) shown.push(item);
    else left++;
  }
  return left === 0 ? shown.join(", ") : `${shown.join(", ")} and ${left} more`;
}
