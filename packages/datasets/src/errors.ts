import { KtoError } from "@kto/chat-templates";

/** A file whose content is not what its format says: a bad line, a broken table, an unreadable column. */
export class FormatError extends KtoError {
  /** Name of the file, where one is known. */
  readonly file: string | undefined;
  /** Line in the file, counted from 1, where one is to blame. */
  readonly line: number | undefined;

  constructor(message: string, facts: { file?: string; line?: number; cause?: unknown } = {}) {
    super("FORMAT", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.file = facts.file;
    this.line = facts.line;
  }
}

/** A data file that cannot be used at all: it is missing, empty, a folder, or of an unknown kind. */
export class DataFileError extends KtoError {
  readonly file: string | undefined;

  constructor(message: string, facts: { file?: string; cause?: unknown } = {}) {
    super("DATA_FILE", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.file = facts.file;
  }
}

/** A row that training cannot use: a column is missing, empty or of the wrong type. */
export class RowError extends KtoError {
  /** Index of the row in its dataset, counted from 0. */
  readonly row: number;
  readonly column: string | undefined;

  constructor(message: string, facts: { row: number; column?: string; cause?: unknown }) {
    super("ROW", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.row = facts.row;
    this.column = facts.column;
  }
}

/** A value given to a function of this package is outside what it takes. */
export class ArgumentError extends KtoError {
  constructor(message: string) {
    super("ARGUMENT", message);
  }
}

/** A short piece of text or JSON for an error message. */
export function excerpt(value: unknown, maxLength = 60): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}
