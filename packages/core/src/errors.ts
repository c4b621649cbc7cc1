import type { ErrorCode } from "./error-codes.js";

const mark = Symbol.for("@kto/error");

/**
 * What an error says, in parts: `operation: problem; expected …, got …; advice`. A config field is written `{maxLength}` in the text and listed in
 * `fields`; in the message it stands as it is, and {@link describeError} gives it another spelling.
 */
export interface ErrorParts {
  readonly operation: string;
  readonly problem: string;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** What to do. */
  readonly advice?: string | undefined;
  /** The config fields that the text names, as the libraries spell them. */
  readonly fields?: readonly string[] | undefined;
}

/** What the constructor of an error takes: its message, or the parts of one. */
export type ErrorText = string | ErrorParts;

/**
 * Base of every error this project throws. `code` is stable and one of `errorCodes`; facts are fields of the subclass. Recognised across copies of a
 * package by a symbol.
 */
export class KtoError extends Error {
  override name = "KtoError";
  readonly code: ErrorCode;
  /** The parts of the message, where it was given in parts. */
  readonly parts: ErrorParts | undefined;

  constructor(code: ErrorCode, text: ErrorText, options?: { cause?: unknown }) {
    super(typeof text === "string" ? text : errorMessage(text), options?.cause === undefined ? undefined : options);
    this.code = code;
    this.parts = typeof text === "string" ? undefined : text;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** True for any `KtoError`, also one made by another copy of a package. */
export function isKtoError(value: unknown): value is KtoError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}

/** The message of an error with its config fields as `spell` writes them: `describeError(error, snakeCase)` for a command. */
export function describeError(error: Error, spell: (field: string) => string): string {
  const parts = isKtoError(error) ? error.parts : undefined;
  return parts === undefined ? error.message : errorMessage(parts, spell);
}

/** The message that parts make, with config fields as `spell` writes them; by default as they are. */
export function errorMessage(
  { operation, problem, expected, got, advice, fields = [] }: ErrorParts,
  spell: (field: string) => string = (field) => field,
): string {
  const facts = [expected !== undefined && `expected ${expected}`, got !== undefined && `got ${got}`].filter(Boolean).join(", ");
  const text = `${operation}: ${[problem, facts, advice].filter(Boolean).join("; ")}`;
  return fields.reduce((done, field) => done.replaceAll(`{${field}}`, spell(field)), text);
}

/** The bytes are not what the format asks for, or something that was asked for is not in them. */
export class FormatError extends KtoError {
  override name = "FormatError";
  /** File, path or URL, where one is known. */
  readonly source: string | undefined;
  /** Line in the file, counted from 1, where one is to blame. */
  readonly line: number | undefined;
  /** Name of the tensor that is to blame. */
  readonly tensor: string | undefined;

  constructor(text: ErrorText, facts: { source?: string; line?: number; tensor?: string; cause?: unknown } = {}) {
    super("FORMAT", text, { cause: facts.cause });
    this.source = facts.source;
    this.line = facts.line;
    this.tensor = facts.tensor;
  }
}

/** A dtype that an operation does not take, or a value its dtype cannot hold. */
export class DtypeError extends KtoError {
  override name = "DtypeError";
  readonly dtype: string | undefined;

  constructor(text: ErrorText, facts: { dtype?: string } = {}) {
    super("DTYPE", text);
    this.dtype = facts.dtype;
  }
}

/** This machine, process, adapter or device cannot do what was asked; `missing` names the thing it lacks. */
export class CapabilityError extends KtoError {
  override name = "CapabilityError";
  readonly missing: string | undefined;

  constructor(text: ErrorText, facts: { missing?: string; cause?: unknown } = {}) {
    super("CAPABILITY", text, { cause: facts.cause });
    this.missing = facts.missing;
  }
}

/** A value given to a function is outside what it takes. */
export class ArgumentError extends KtoError {
  override name = "ArgumentError";

  constructor(text: ErrorText) {
    super("ARGUMENT", text);
  }
}

/** A range outside its tensor or file. */
export class BoundsError extends KtoError {
  override name = "BoundsError";

  constructor(text: ErrorText) {
    super("BOUNDS", text);
  }
}

/** A file or server did not give the bytes that were asked for. `reason` is the system's code (`ENOENT`), `status` the HTTP status. */
export class SourceError extends KtoError {
  override name = "SourceError";
  readonly source: string | undefined;
  readonly reason: string | undefined;
  readonly status: number | undefined;

  constructor(text: ErrorText, facts: { source?: string; reason?: string; status?: number; cause?: unknown } = {}) {
    super("SOURCE", text, { cause: facts.cause });
    this.source = facts.source;
    this.reason = facts.reason;
    this.status = facts.status;
  }
}

/** A file could not be written; what was there before is unchanged. `reason` is the system's code, `ENOSPC` for a full disk. */
export class WriteError extends KtoError {
  override name = "WriteError";
  readonly path: string;
  readonly reason: string | undefined;

  constructor(text: ErrorText, facts: { path: string; reason?: string; cause?: unknown }) {
    super("WRITE", text, { cause: facts.cause });
    this.path = facts.path;
    this.reason = facts.reason;
  }
}

/** What a rank says when it gives up. */
export interface RankFailure {
  rank: number;
  /** What it said. */
  text: string;
  /** The exit status that its process ends with, where it said so. */
  status?: number | undefined;
}

/** The ranks of a run together cannot go on: they do not agree, some have given up, or MPI failed. */
export class RanksError extends KtoError {
  override name = "RanksError";
  /** The ranks that gave up, or are not of one mind with the others, where that is why. */
  readonly failures: readonly RankFailure[];
  /** Nothing is wrong: a rank was told to end the run, and so all do. */
  readonly isEnd: boolean;
  /** The ranks were not started with the same run: nothing was begun or written. */
  readonly isUnlike: boolean;

  constructor(text: ErrorText, facts: { failures?: readonly RankFailure[]; isEnd?: boolean; isUnlike?: boolean; cause?: unknown } = {}) {
    super("RANKS", text, { cause: facts.cause });
    this.failures = facts.failures ?? [];
    this.isEnd = facts.isEnd ?? false;
    this.isUnlike = facts.isUnlike ?? false;
  }
}
