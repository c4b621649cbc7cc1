const mark: symbol = Symbol.for("@kto/error");

/** Base of every error this project throws. `code` is stable; facts are fields of the subclass. Recognised across copies of a package by a symbol. */
export class KtoError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** True for any `KtoError`, also one made by another copy of a package. */
export function isKtoError(value: unknown): value is KtoError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}

/** The bytes are not what the format asks for, or a tensor that was asked for is not in them. */
export class FormatError extends KtoError {
  /** File, path or URL, when the source has a name. */
  readonly source: string | undefined;
  readonly tensor: string | undefined;

  constructor(message: string, facts: { source?: string; tensor?: string; cause?: unknown } = {}) {
    super("FORMAT", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.source = facts.source;
    this.tensor = facts.tensor;
  }
}

/** A dtype that an operation does not take. */
export class DtypeError extends KtoError {
  readonly dtype: string;

  constructor(message: string, facts: { dtype: string }) {
    super("DTYPE", message);
    this.dtype = facts.dtype;
  }
}

/** A range outside its tensor or file. */
export class BoundsError extends KtoError {
  constructor(message: string) {
    super("BOUNDS", message);
  }
}

/** A file or server did not give the bytes that were asked for. `reason` is the system's code (`ENOENT`), `status` the HTTP status. */
export class SourceError extends KtoError {
  readonly source: string | undefined;
  readonly reason: string | undefined;
  readonly status: number | undefined;

  constructor(message: string, facts: { source?: string; reason?: string; status?: number; cause?: unknown } = {}) {
    super("SOURCE", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.source = facts.source;
    this.reason = facts.reason;
    this.status = facts.status;
  }
}

/** A file could not be written; what was there before is unchanged. `reason` is the system's code, `ENOSPC` for a full disk. */
export class WriteError extends KtoError {
  readonly path: string;
  readonly reason: string | undefined;

  constructor(message: string, facts: { path: string; reason?: string; cause?: unknown }) {
    super("WRITE", message, { cause: facts.cause });
    this.path = facts.path;
    this.reason = facts.reason;
  }
}
