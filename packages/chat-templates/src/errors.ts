import { KtoError, shorten } from "@kto/core";

/** Letters of a reason that a message shows; templates write what they like into theirs. */
const MAX_SHOWN = 1000;

/**
 * A chat template could not be compiled or rendered.
 *
 * `reason` is the text Python would show (for `raise_exception`, what the template's author wrote), `errorType` the name
 * of the Python exception class (`TemplateError`, `TemplateSyntaxError`, `UndefinedError`, `TypeError`, `ValueError`, …),
 * `line` the line of the template, counted from 1, where one is known.
 */
export class TemplateError extends KtoError {
  override name = "TemplateError";
  readonly errorType: string;
  readonly reason: string;
  readonly line: number | undefined;

  constructor(operation: string, facts: { errorType: string; reason: string; line?: number; cause?: unknown }) {
    const { errorType, reason, line, cause } = facts;
    const where = line === undefined ? "" : ` (line ${line} of the template)`;
    super("TEMPLATE", `${operation}: ${shorten(reason, MAX_SHOWN)}${where}`, { cause });
    this.errorType = errorType;
    this.reason = reason;
    this.line = line;
  }
}
