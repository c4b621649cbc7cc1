import { type ErrorText, excerpt, KtoError } from "@kto/core";

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

/** The error of a value in a file that is not what it should be; `where` is its path in the file. */
export function malformed(file: string, where: string, expected: string, got: unknown): TokenizerError {
  return new TokenizerError(
    `Tokenizer.fromFiles: ${where} of ${file} is malformed; expected ${expected}, got ${excerpt(got)}; copy the file from the model again`,
    { file },
  );
}
