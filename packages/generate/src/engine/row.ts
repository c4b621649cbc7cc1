import type { SamplingSettings, TokenLogprob } from "@kto/tensor";
import type { CachedRow } from "../cache/key-value-cache.js";
import type { DrawnIds } from "./drawn-ids.js";

/** Why a row ended: an end token, its length, its caller. */
export type FinishReason = "stop" | "length" | "cancelled";

/** What a row is made of. */
export interface RowRequest {
  /** At least one. */
  promptIds: readonly number[];
  /** At least 1; with the prompt at most the context. */
  maxNewTokens: number;
  sampling: Omit<SamplingSettings, "numDrawn" | "seenRow">;
  eosTokenIds: readonly number[];
  /** How many of the likeliest tokens are told with each id, from 0 to 20; undefined for no log-probabilities. */
  logprobs?: number | undefined;
  /** Adapters that act, by name, in order; undefined leaves the model as it is. */
  adapters?: readonly string[] | undefined;
}

/** A row that is answered: where it stands on the device, and what has come of it. Ids are an async iterable. */
export class Row implements AsyncIterable<number> {
  readonly request: RowRequest;
  /** New ids that the host has seen. */
  readonly ids: number[] = [];
  /** Log-probabilities of them, where the request asks. */
  readonly logprobs: TokenLogprob[] = [];
  /** What is computed before its next draw: the prompt, and what was drawn before it was put back. */
  given: readonly number[];
  /** What of it and of the ids drawn since is in the cache. */
  cached: CachedRow = { length: 0, pages: [] };
  /** Its row of what was seen; undefined while it waits. */
  seenRow: number | undefined;
  /** Tokens of the prompt that were in the cache when it first joined. */
  numReused = 0;
  /** Draws that are recorded; those that the host has not seen are under way. */
  numDrawn = 0;
  #last: { drawn: DrawnIds; index: number } | undefined;
  finishReason: FinishReason | undefined;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #taken = 0;

  constructor(request: RowRequest) {
    this.request = request;
    this.given = request.promptIds;
  }

  /** Tokens of what is given that are not in the cache yet. */
  get givenLeft(): number {
    return Math.max(0, this.given.length - this.cached.length);
  }

  /** True while another draw is to be recorded. */
  get isOpen(): boolean {
    return this.finishReason === undefined && this.numDrawn < this.request.maxNewTokens;
  }

  /** Where the id that was drawn last is, on the device. */
  get last(): { drawn: DrawnIds; index: number } | undefined {
    return this.#last;
  }

  set last(last: { drawn: DrawnIds; index: number } | undefined) {
    last?.drawn.use();
    this.#last?.drawn.release();
    this.#last = last;
  }

  /** An id has reached the host. */
  deliver(id: number, logprob?: TokenLogprob): void {
    if (this.finishReason !== undefined) return; // was under way when the row ended
    const { logprobs } = this.request;
    if (logprob && logprobs !== undefined) this.logprobs.push({ ...logprob, top: logprob.top.slice(0, logprobs) });
    this.ids.push(id);
    if (this.request.eosTokenIds.includes(id)) this.finish("stop");
    else if (this.ids.length === this.request.maxNewTokens) this.finish("length");
    else this.#wakeUp();
  }

  finish(reason: FinishReason): void {
    this.finishReason ??= reason;
    this.#wakeUp();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.finish("cancelled");
  }

  /** New ids as they come, the end token included; throws what went wrong. */
  async *[Symbol.asyncIterator](): AsyncIterator<number> {
    for (;;) {
      while (this.#taken < this.ids.length) yield this.ids[this.#taken++]!;
      if (this.#failure) throw this.#failure.error;
      if (this.finishReason !== undefined) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
