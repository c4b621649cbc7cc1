import { type ErrorText, KtoError } from "@kto/core";

/** A request that cannot be answered: a setting out of range, an empty prompt, one longer than the context or the cache. */
export class GenerationError extends KtoError {
  override name = "GenerationError";
  /** The option at fault, as the library spells it. */
  readonly option: string | undefined;

  constructor(text: ErrorText, facts: { option?: string } = {}) {
    super("GENERATION", text);
    this.option = facts.option;
  }
}
