import { RanksError, type RankFailure } from "@kto/core";
import { parts, type Ranks } from "./ordered-sum.js";
import { done } from "./progress.js";

/** What ranks come together for. */
const purposes = ["sum", "gather", "end", "failure"] as const;
export type Purpose = (typeof purposes)[number];

/** Each rank says this much when it comes: its count of rounds, what for, how long its part is, and whether it was asked to stop. */
const wordsOfRank = 4;

/** What a round is for, and what it needs of everyone. */
interface Call {
  purpose: Purpose;
  /** Of this rank's part. */
  length: number;
  /** Whether all must come with the same length. */
  isEven?: boolean;
}

/**
 * The ranks of a run come together in rounds, one call after the other: each says what it comes for, and only when all want the same is data sent. So a rank that has
 * failed is heard by those who wait for it, ranks that came for different calls are told so instead of mixing their data, and all hear at the same call that
 * one was asked to stop.
 */
export class Rounds {
  readonly #ranks: Ranks;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  #over: RanksError | undefined;
  /** Whether this rank was asked to stop. */
  isAskedToStop: () => boolean = () => false;
  /** Called when a round is done in which one was. */
  onStop: () => void = () => undefined;

  constructor(ranks: Ranks) {
    this.#ranks = ranks;
  }

  /** Waits until all have come for this and runs `body` with the lengths of all. Throws RanksError once a rank has failed. */
  enter<Result>(call: Call, body: (lengths: readonly number[]) => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(() => this.#enter(call, body));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #enter<Result>(call: Call, body: (lengths: readonly number[]) => Promise<Result>): Promise<Result> {
    if (this.#over) throw this.#over;
    const words = await this.#meet(call);
    if (words.some(({ purpose }) => purpose === "failure")) throw (this.#over = failed(await this.#failures(words, "")));
    const problem = difference(words, call);
    if (problem !== undefined) throw (this.#over = new RanksError(problem));
    const result = await body(words.map(({ length }) => length));
    if (words.some(({ stops }) => stops)) this.onStop();
    return result;
  }

  /** Tells all ranks that this one gives up, when they come next; resolves to what all say who do. */
  async fail(text: string): Promise<readonly RankFailure[]> {
    await this.#last;
    if (this.#over) return this.#over.failures;
    const words = await this.#meet({ purpose: "failure", length: new TextEncoder().encode(text).length });
    const failures = await this.#failures(words, text);
    this.#over = failed(failures);
    return failures;
  }

  async #meet({ purpose, length }: Call): Promise<{ round: number; purpose: Purpose; length: number; stops: boolean }[]> {
    const { mpi, size } = this.#ranks;
    const stops = this.isAskedToStop() ? 1 : 0;
    const own = new Float64Array(new ArrayBuffer(wordsOfRank * 8));
    own.set([this.#count++, purposes.indexOf(purpose), length, stops]);
    const all = new Float64Array(new ArrayBuffer(wordsOfRank * 8 * size));
    await done(mpi, mpi.iallgather(bytesOf(own), bytesOf(all)), "others", [own, all]);
    return Array.from({ length: size }, (_, rank) => {
      const [round, purpose, length, stops] = all.subarray(rank * wordsOfRank, (rank + 1) * wordsOfRank);
      return { round: round!, purpose: purposes[purpose!]!, length: length!, stops: stops !== 0 };
    });
  }

  /** What those who gave up say. */
  async #failures(words: readonly { purpose: Purpose; length: number }[], text: string): Promise<RankFailure[]> {
    const lengths = words.map(({ purpose, length }) => (purpose === "failure" ? length : 0));
    const texts = await gatherBytes(this.#ranks, new TextEncoder().encode(text), lengths);
    return texts.flatMap((bytes, rank) => (words[rank]!.purpose === "failure" ? [{ rank, text: new TextDecoder().decode(bytes) }] : []));
  }
}

/** The bytes of all ranks, by rank; `lengths` are those of all. */
export async function gatherBytes({ mpi }: Ranks, own: Uint8Array, lengths: readonly number[]): Promise<Uint8Array[]> {
  const { counts, starts } = parts(lengths);
  const all = new Uint8Array(new ArrayBuffer(lengths.reduce((sum, length) => sum + length, 0)));
  const sent = new Uint8Array(new ArrayBuffer(own.byteLength));
  sent.set(own);
  await done(mpi, mpi.iallgatherv("byte", sent, all, { counts, starts }), "data", [sent, all, counts, starts]);
  return lengths.map((length, rank) => all.subarray(starts[rank], starts[rank]! + length));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function failed(failures: readonly RankFailure[]): RanksError {
  const names = failures.map(({ rank }) => rank).join(", ");
  return new RanksError(`mpi: a rank gave up; expected all ranks to go on, got an end of rank ${names}: ${failures[0]?.text ?? ""}`, {
    failures,
  });
}

/** What one rank does otherwise than rank 0, if anything. */
function difference(words: readonly { round: number; purpose: Purpose; length: number }[], { isEven = false }: Call): string | undefined {
  const [first] = words;
  const other = words.findIndex(
    ({ round, purpose, length }) => round !== first!.round || purpose !== first!.purpose || (isEven && length !== first!.length),
  );
  if (other < 0) return undefined;
  const [a, b] = [first!, words[other]!].map(({ round, purpose, length }) => `${purpose} of ${length} in round ${round}`);
  return `mpi: ranks came together for different things; expected of all what rank 0 came for, ${a}, got ${b} on rank ${other}; ranks must make the same calls in the same order`;
}
