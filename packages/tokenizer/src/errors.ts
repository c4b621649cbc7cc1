import { KtoError } from "@kto/chat-templates";

/** A tokenizer's files are missing or are not what they should be; or it cannot do what was asked; `file` is the one at fault, `directory` where it was looked for. */
export class TokenizerError extends KtoError {
  readonly file: string | undefined;
  readonly directory: string | undefined;

  constructor(message: string, facts: { file?: string; directory?: string; cause?: unknown } = {}) {
    super("TOKENIZER", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.file = facts.file;
    this.directory = facts.directory;
  }
}
