import { type ErrorText, KtoError } from "@kto/core";

/** A data file that cannot be used at all: it is missing, empty, a folder, or of an unknown kind. */
export class DataFileError extends KtoError {
  override name = "DataFileError";
  readonly file: string | undefined;

  constructor(text: ErrorText, facts: { file?: string; cause?: unknown } = {}) {
    super("DATA_FILE", text, { cause: facts.cause });
    this.file = facts.file;
  }
}

/** A row that training cannot use: a column is missing, empty or of the wrong type. */
export class RowError extends KtoError {
  override name = "RowError";
  /** Index of the row in its dataset, counted from 0. */
  readonly row: number;
  readonly column: string | undefined;

  constructor(text: ErrorText, facts: { row: number; column?: string; cause?: unknown }) {
    super("ROW", text, { cause: facts.cause });
    this.row = facts.row;
    this.column = facts.column;
  }
}
