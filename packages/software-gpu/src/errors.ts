const BRAND = Symbol.for("@kto/error");

/** What every error of the `@kto/*` packages is: a message for people, a stable `code` for programs, the `cause` kept. */
export class KtoError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true }); // a field named by a symbol has no isolated declaration
  }
}

/** This machine or process cannot do what was asked; `missing` names the thing it lacks. */
export class CapabilityError extends KtoError {
  readonly missing: string;

  constructor(message: string, { missing, cause }: { missing: string; cause?: unknown }) {
    super("CAPABILITY", message, cause === undefined ? undefined : { cause });
    this.missing = missing;
  }
}

/** The bytes of a file are not what its format asks for. */
export class FormatError extends KtoError {
  constructor(message: string) {
    super("FORMAT", message);
  }
}

/** True for an error of any `@kto/*` package, whichever copy of the package made it. */
export function isKtoError(value: unknown): value is KtoError {
  return typeof value === "object" && value !== null && BRAND in value;
}
