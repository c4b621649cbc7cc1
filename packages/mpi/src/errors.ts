import { type ErrorText, KtoError } from "@kto/core";

/** What a rank says when it gives up. */
export interface RankFailure {
  rank: number;
  /** As the rank gave it to `fail`. */
  text: string;
}

/** MPI, or the ranks of a run together, cannot go on. */
export class RanksError extends KtoError {
  override name = "RanksError";
  /** The ranks that gave up, where that is why. */
  readonly failures: readonly RankFailure[];

  constructor(text: ErrorText, facts: { failures?: readonly RankFailure[]; cause?: unknown } = {}) {
    super("RANKS", text, { cause: facts.cause });
    this.failures = facts.failures ?? [];
  }
}
