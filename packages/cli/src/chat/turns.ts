import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { TurnLines } from "./turn-lines.js";

/** What the user says, one turn after the other. */
export interface Turns extends Disposable {
  /** The next turn; undefined at the end. Rejects with `signal.reason`. */
  next(): Promise<string | undefined>;
  /** Calls `stop` for each Ctrl-C until the answer is there; by default one ends the program. */
  during<Result>(answer: Promise<Result>, stop: () => void): Promise<Result>;
}

/** Turns from lines of a file or a pipe. */
export class PipedTurns implements Turns {
  readonly #interface: ReturnType<typeof createInterface>;
  readonly #lines: AsyncIterator<string>;
  readonly #turn = new TurnLines();
  readonly #signal: AbortSignal | undefined;

  constructor(input: Readable, signal?: AbortSignal) {
    this.#interface = createInterface({ input, crlfDelay: Infinity, terminal: false });
    this.#lines = this.#interface[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  async next(): Promise<string | undefined> {
    for (;;) {
      const line = await orAborted(this.#lines.next(), this.#signal);
      if (line.done) return this.#turn.end();
      const turn = this.#turn.push(line.value);
      if (turn !== undefined) return turn;
    }
  }

  during<Result>(answer: Promise<Result>): Promise<Result> {
    return answer;
  }

  [Symbol.dispose](): void {
    this.#interface.close();
  }
}

/** What a promise gives, or a rejection with `signal.reason`, whichever comes first. */
export async function orAborted<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort!);
  }
}
