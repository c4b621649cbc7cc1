import { KtoError, type ErrorText } from "@kto/core";

/** The output folder cannot be used: another process works in it, or it holds a run. */
export class OutputError extends KtoError {
  override name = "OutputError";
  readonly path: string;

  constructor(text: ErrorText, { path, cause }: { path: string; cause?: unknown }) {
    super("OUTPUT", text, { cause });
    this.path = path;
  }
}
