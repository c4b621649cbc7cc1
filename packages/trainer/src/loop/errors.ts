import { type ErrorText, KtoError } from "@kto/core";

/** A trainer that was made or used in a way that cannot work: an option is missing or has another name, or a run is asked for twice. */
export class TrainerUsageError extends KtoError {
  override name = "TrainerUsageError";

  constructor(text: ErrorText, options?: { cause?: unknown }) {
    super("TRAINER_USAGE", text, options);
  }
}

/** The ranks of a run are not of one mind: they were started with other settings or data, or one of them was told to end or has failed. */
export class DisagreementError extends KtoError {
  override name = "DisagreementError";
  /** Those that it is about, as far as they are known. */
  readonly ranks: readonly number[];

  constructor(text: ErrorText, ranks: readonly number[], options?: { cause?: unknown }) {
    super("RANKS", text, options);
    this.ranks = ranks;
  }
}
