import { RequestError } from "../errors.js";

/** What waits for a slot. */
interface Waiter {
  /** The first answer of its request: it counts as a request that waits. */
  isFirst: boolean;
  take(): void;
  refuse(error: RequestError): void;
}

/** Lets so many answers run together; the rest wait in their order, and not too many of them. */
export class Slots {
  readonly #maxRunning: number;
  readonly #maxQueue: number;
  readonly #waiters: Waiter[] = [];
  #numRunning = 0;
  #closed: RequestError | undefined;
  /** How long a slot was held of late, in milliseconds. */
  #heldMs = 1000;

  constructor({ maxRunning, maxQueue }: { maxRunning: number; maxQueue: number }) {
    this.#maxRunning = maxRunning;
    this.#maxQueue = maxQueue;
  }

  /** Answers that run. */
  get numRunning(): number {
    return this.#numRunning;
  }

  /** Requests none of whose answers runs yet. */
  get numWaiting(): number {
    return this.#waiters.filter(({ isFirst }) => isFirst).length;
  }

  /**
   * Waits for a slot; what it resolves to gives it back.
   *
   * @throws RequestError: 429 for the first answer of a request when too many wait, 503 once closed; `signal.reason` for one that is aborted
   */
  async take({ isFirst, signal }: { isFirst: boolean; signal: AbortSignal }): Promise<() => void> {
    signal.throwIfAborted();
    if (isFirst && this.#closed) throw this.#closed;
    if (this.#numRunning < this.#maxRunning && this.#waiters.length === 0) this.#numRunning++;
    else await this.#wait(isFirst, signal);
    const started = performance.now();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#heldMs += (performance.now() - started - this.#heldMs) / 8;
      this.#giveBack();
    };
  }

  /** Takes no more requests: those that wait are refused. Further answers of those that run still get their slots. */
  close(error: RequestError): void {
    this.#closed = error;
    for (const waiter of this.#waiters.filter(({ isFirst }) => isFirst)) waiter.refuse(error);
  }

  async #wait(isFirst: boolean, signal: AbortSignal): Promise<void> {
    if (isFirst && this.numWaiting >= this.#maxQueue) throw this.#full();
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener("abort", abort);
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
      };
      const abort = (): void => {
        leave();
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        isFirst,
        take: () => {
          leave();
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** The slot goes to who waits longest, or is free. */
  #giveBack(): void {
    const [next] = this.#waiters;
    if (next) next.take();
    else this.#numRunning--;
  }

  #full(): RequestError {
    const seconds = Math.ceil((this.#heldMs * (this.numWaiting + 1)) / this.#maxRunning / 1000);
    return new RequestError(
      {
        operation: "queue",
        problem: "too many requests wait",
        expected: `at most ${this.#maxQueue}`,
        got: "one more",
        advice: `try again in ${Math.max(1, seconds)} s`,
      },
      {
        status: 429,
        type: "rate_limit_error",
        reason: "rate_limit_exceeded",
        headers: { "Retry-After": String(Math.min(60, Math.max(1, seconds))) },
      },
    );
  }
}
