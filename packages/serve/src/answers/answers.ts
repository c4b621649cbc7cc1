import type { GenerateOptions, Generation, GenerationPiece, GenerationResult } from "@kto/generate";
import type { Metrics } from "../http/metrics.js";
import { clientHasGone, isStopping } from "../http/request-errors.js";
import type { ServeOptions } from "../options.js";
import { Channel } from "./channel.js";
import type { Slots } from "./slots.js";

/** Something that came of a choice: a piece of it, or in the end its result. */
export type ChoiceEvent = { index: number } & ({ piece: GenerationPiece } | { result: GenerationResult });

/** The choices of a request, under way: what comes of them, in the order in which it comes. Throws what went wrong with one. */
export interface Answer extends AsyncIterable<ChoiceEvent> {
  /** Resolves to the number of new tokens when nothing is under way any more, however it ended. */
  readonly ended: Promise<number>;
  /** The client has gone: ends what is under way. */
  leave(): void;
}

/** A request whose choices are made. */
interface Work {
  readonly choices: readonly GenerateOptions[];
  readonly channel: Channel<ChoiceEvent>;
  readonly abort: AbortController;
  readonly started: number;
  newTokens: number;
}

/** Makes answers, each choice in a slot of its own. */
export class Answers {
  readonly #generator: ServeOptions["generator"];
  readonly #slots: Slots;
  readonly #metrics: Metrics;
  readonly #underWay = new Map<AbortController, Promise<number>>();

  constructor(generator: ServeOptions["generator"], slots: Slots, metrics: Metrics) {
    this.#generator = generator;
    this.#slots = slots;
    this.#metrics = metrics;
  }

  /**
   * Starts the choices of a request; resolves when the first has begun. Their slots come free as they end, whether anybody reads or not.
   *
   * @param signal  the client has gone
   * @throws as `Slots.take`; GenerationError for a choice that cannot be made
   */
  async start(choices: readonly GenerateOptions[], signal: AbortSignal): Promise<Answer> {
    const work: Work = { choices, channel: new Channel(), abort: new AbortController(), started: performance.now(), newTokens: 0 };
    const leave = (): void => work.abort.abort(clientHasGone());
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      const release = await this.#slots.take({ isFirst: true, signal: work.abort.signal });
      const first = this.#begin(work, 0, release);
      const ended = this.#run(work, first).then(() => {
        signal.removeEventListener("abort", leave);
        this.#underWay.delete(work.abort);
        return work.newTokens;
      });
      this.#underWay.set(work.abort, ended);
      return { ended, leave, [Symbol.asyncIterator]: () => work.channel[Symbol.asyncIterator]() };
    } catch (error) {
      signal.removeEventListener("abort", leave);
      throw error;
    }
  }

  /** Waits until all that is under way has ended, for so long; ends what is left then. Resolves to how many were. */
  async finish(graceMs: number): Promise<number> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
    await Promise.race([Promise.all(this.#underWay.values()), patience]);
    clearTimeout(timer);
    const left = [...this.#underWay];
    for (const [abort] of left) abort.abort(isStopping(`the answer to end within ${graceMs / 1000} s`));
    await Promise.all(left.map(([, ended]) => ended));
    return left.length;
  }

  /** Resolves when every choice has ended; when one fails the others are for nobody. */
  async #run(work: Work, first: Promise<void>): Promise<void> {
    const others = work.choices.slice(1).map(async (_, index) => {
      const release = await this.#slots.take({ isFirst: false, signal: work.abort.signal });
      await this.#begin(work, index + 1, release);
    });
    const all = [first, ...others];
    try {
      await Promise.all(all);
      work.channel.close();
    } catch (error) {
      work.channel.close({ error });
      work.abort.abort(error);
      await Promise.allSettled(all);
    }
  }

  /** Begins a choice at once; resolves when it has ended and its slot is given back. Throws at once if it cannot begin. */
  #begin(work: Work, index: number, release: () => void): Promise<void> {
    try {
      const generation = this.#generator.generate({ ...work.choices[index]!, signal: work.abort.signal });
      return this.#read(work, index, generation).finally(release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async #read(work: Work, index: number, generation: Generation): Promise<void> {
    let [firstAt, lastAt, numTokens] = [0, 0, 0];
    try {
      for await (const piece of generation) {
        lastAt = performance.now();
        if (numTokens === 0) this.#metrics.timeToFirstToken.observe(((firstAt = lastAt) - work.started) / 1000);
        numTokens += piece.ids.length;
        work.newTokens += piece.ids.length;
        work.channel.push({ index, piece });
      }
      const result = await generation.result;
      if (result.finishReason === "cancelled") throw isStopping("a generator that stays to the end");
      work.channel.push({ index, result });
    } finally {
      this.#metrics.generatedTokens.add(numTokens);
      if (numTokens > 1) this.#metrics.timePerToken.observe((lastAt - firstAt) / 1000 / (numTokens - 1));
    }
  }
}
