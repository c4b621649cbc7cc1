import { isKtoError, RanksError, WriteError } from "@kto/core";
import type { Collective } from "./collective.js";

/**
 * What the ranks of a run decide together, so that all do it at the same place: whether to end, to hold the run up, to write a checkpoint. Whoever asked, every rank
 * hears of it at the next question. A single rank is asked nothing.
 */
export class Agreement {
  /** Aborted on all ranks at once, at a question, when that of any of them is. */
  readonly signal: AbortSignal | undefined;
  /** That of this rank. */
  readonly own: AbortSignal | undefined;
  readonly #collective: Collective;
  readonly #agreed = new AbortController();

  constructor(collective: Collective, own: AbortSignal | undefined) {
    this.#collective = collective;
    this.own = own;
    this.signal = collective.size === 1 ? own : this.#agreed.signal;
  }

  /** Whether any rank says so, of each claim; and whether any is to end. */
  async any<const Claims extends readonly boolean[]>(claims: Claims): Promise<{ [Index in keyof Claims]: boolean }> {
    if (this.#collective.size === 1) return claims as { [Index in keyof Claims]: boolean };
    const ofRanks = await this.#collective.gather([this.own?.aborted === true, ...claims].map(Number));
    const ending = ofRanks.flatMap(([ends], rank) => (ends ? [rank] : []));
    if (ending.length > 0 && !this.#agreed.signal.aborted) this.#agreed.abort(this.own?.aborted ? this.own.reason : toldToEnd(ending));
    return claims.map((_, index) => ofRanks.some((of) => of[index + 1] === 1)) as { [Index in keyof Claims]: boolean };
  }
}

/** What comes of `body` on the first rank, as the others hear of it. */
const outcomes = { done: 0, notWritten: 1, failed: 2 };

/**
 * Has the first rank do something for all: write a checkpoint. The others wait until it is done; where it fails they throw too, a WriteError where a file could not be
 * written and else a RanksError.
 *
 * @param what  for the errors of the others: `write checkpoint-5`
 */
export async function onFirstRank(collective: Collective, what: string, body: () => Promise<void>): Promise<void> {
  const { rank, size } = collective;
  if (size === 1) return body();
  let outcome = outcomes.done;
  let failure: { error: unknown } | undefined;
  if (rank === 0)
    await body().catch((error: unknown) => {
      failure = { error };
      outcome = isKtoError(error) && error.code === "WRITE" ? outcomes.notWritten : outcomes.failed;
    });
  const [[found] = []] = await collective.gather([outcome]);
  if (failure) throw failure.error;
  if (found === outcomes.done) return;
  const problem = `rank 0 could not ${what}; its own message says why`;
  if (found === outcomes.notWritten) throw new WriteError({ operation: "train", problem }, { path: what });
  throw new RanksError(`train: ${problem}`, { failures: [{ rank: 0, text: problem }] });
}

function toldToEnd(ranks: readonly number[]): RanksError {
  const text = "it was told to end the run";
  return new RanksError(`train: ${ranksOf(ranks)} was told to end the run`, {
    isEnd: true,
    failures: ranks.map((rank) => ({ rank, text })),
  });
}

/** `rank 1`, or `ranks 1, 2`. */
export function ranksOf(ranks: readonly number[]): string {
  return `${ranks.length === 1 ? "rank" : "ranks"} ${ranks.join(", ")}`;
}
