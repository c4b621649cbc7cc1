import { type ErrorText, KtoError } from "@kto/core";

/** A trainer that was made or used in a way that cannot work: an option is missing or has another name, or a run is asked for twice. */
export class TrainerUsageError extends KtoError {
  override name = "TrainerUsageError";

  constructor(text: ErrorText, options?: { cause?: unknown }) {
    super("TRAINER_USAGE", text, options);
  }
}
