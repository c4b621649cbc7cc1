import { RanksError, type RankFailure } from "@kto/core";
import { parts, type Ranks } from "./ordered-sum.js";
import { done } from "./progress.js";

/** What ranks come together for. */
const purposes = ["sum", "gather", "end", "failure"] as const;
export type Purpose = (typeof purposes)[number];

/** Each rank says this much when it comes: its count of rounds, what for, and how long its part is. */
const wordsOfRank = 3;

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
 * failed is heard by those who wait for it, and ranks that came for different calls are told so instead of mixing their data.
 */
export class Rounds {
  readonly #ranks: Ranks;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  #over: RanksError | undefined;

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
    if (words.some(({ purpose }) => purpose === "failure")) throw (this.#over = failed(await this.#failures(words, new Uint8Array())));
    const problem = difference(words, call);
    if (problem !== undefined) throw (this.#over = new RanksError(problem));
    return body(words.map(({ length }) => length));
  }

  /** What calls reject with, once a rank has given up. */
  get over(): RanksError | undefined {
    return this.#over;
  }

  /** Tells all ranks that this one gives up, when they come next; resolves to what all say who do. */
  async fail(said: Omit<RankFailure, "rank">): Promise<readonly RankFailure[]> {
    await this.#last;
    if (this.#over) return this.#over.failures;
    const bytes = new TextEncoder().encode(JSON.stringify(said));
    const words = await this.#meet({ purpose: "failure", length: bytes.length });
    const failures = await this.#failures(words, bytes);
    this.#over = failed(failures);
    return failures;
  }

  async #meet({ purpose, length }: Call): Promise<{ round: number; purpose: Purpose; length: number }[]> {
    const { mpi, size } = this.#ranks;
    const own = new Float64Array(new ArrayBuffer(wordsOfRank * 8));
    own.set([this.#count++, purposes.indexOf(purpose), length]);
    const all = new Float64Array(new ArrayBuffer(wordsOfRank * 8 * size));
    await done(mpi, mpi.iallgather(bytesOf(own), bytesOf(all)), "others", [own, all]);
    return Array.from({ length: size }, (_, rank) => {
      const [round, purpose, length] = all.subarray(rank * wordsOfRank, (rank + 1) * wordsOfRank);
      return { round: round!, purpose: purposes[purpose!]!, length: length! };
    });
  }

  /** What those who gave up say. */
  async #failures(words: readonly { purpose: Purpose; length: number }[], own: Uint8Array): Promise<RankFailure[]> {
    const lengths = words.map(({ purpose, length }) => (purpose === "failure" ? length : 0));
    const said = await gatherBytes(this.#ranks, own, lengths);
    return said.flatMap((bytes, rank) => {
      if (words[rank]!.purpose !== "failure") return [];
      return [{ rank, ...(JSON.parse(new TextDecoder().decode(bytes)) as Omit<RankFailure, "rank">) }];
    });
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
  return new RanksError(`mpi: ${failures.map(({ rank, text }) => `rank ${rank} gave up: ${text}`).join("; ")}`, { failures });
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
