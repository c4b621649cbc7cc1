import { type ErrorText, KtoError } from "@kto/core";

/** A tokenizer's files are missing or are not what they should be; or it cannot do what was asked; `file` is the one at fault, `directory` where it was looked for. */
export class TokenizerError extends KtoError {
  override name = "TokenizerError";
  readonly file: string | undefined;
  readonly directory: string | undefined;

  constructor(text: ErrorText, facts: { file?: string; directory?: string; cause?: unknown } = {}) {
    super("TOKENIZER", text, { cause: facts.cause });
    this.file = facts.file;
    this.directory = facts.directory;
  }
}
