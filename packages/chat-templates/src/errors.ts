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

/** True for an error of any `@kto/*` package, whichever copy of the package made it. */
export function isKtoError(value: unknown): value is KtoError {
  return typeof value === "object" && value !== null && BRAND in value;
}

/**
 * A chat template could not be compiled or rendered.
 *
 * `reason` is the text Python would show (for `raise_exception`, what the template's author wrote), `errorType` the name
 * of the Python exception class (`TemplateError`, `TemplateSyntaxError`, `UndefinedError`, `TypeError`, `ValueError`, …),
 * `line` the line of the template, counted from 1, where one is known.
 */
export class TemplateError extends KtoError {
  readonly errorType: string;
  readonly reason: string;
  readonly line: number | undefined;

  constructor(operation: string, facts: { errorType: string; reason: string; line?: number; cause?: unknown }) {
    const { errorType, reason, line, cause } = facts;
    const where = line === undefined ? "" : ` (line ${line} of the template)`;
    super("TEMPLATE", `${operation}: ${reason}${where}`, cause === undefined ? undefined : { cause });
    this.errorType = errorType;
    this.reason = reason;
    this.line = line;
  }
}
