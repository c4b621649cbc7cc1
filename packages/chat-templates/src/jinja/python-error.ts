/** An exception as Python would raise it while a template is compiled or rendered; becomes a `TemplateError` at the package's edge. */
export class PythonError extends Error {
  /** Name of the Python exception class. */
  readonly type: string;
  line: number | undefined;

  constructor(type: string, message: string, line?: number) {
    super(message);
    this.name = "PythonError";
    this.type = type;
    this.line = line;
  }
}

/** Python's `ValueError`. */
export function valueError(message: string): PythonError {
  return new PythonError("ValueError", message);
}

/** Throws `TypeError` of Python. */
export function typeError(message: string): never {
  throw new PythonError("TypeError", message);
}

/** Throws Jinja's `TemplateSyntaxError`. */
export function syntaxError(message: string, line: number): never {
  throw new PythonError("TemplateSyntaxError", message, line);
}
