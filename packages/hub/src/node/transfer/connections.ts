/** At most so many transfers at once; the others wait in order. */
export class Connections {
  readonly #count: number;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(count: number) {
    this.#count = count >= 1 ? Math.floor(count) : 1;
  }

  get count(): number {
    return this.#count;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy < this.#count) this.#busy += 1;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve); // whoever ends hands its place on
      });
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy -= 1;
    }
  }
}

/**
 * Does `work` for every item, at most `count` at once. The first failure stops what is under way through `signal`, and is thrown when all have ended.
 */
export async function forEachOf<T>(
  items: readonly T[],
  count: number,
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const left = items.values();
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const item of left) {
      if (both.aborted) return;
      try {
        await work(item, both);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
      }
    }
  };
  signal?.throwIfAborted();
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker));
  signal?.throwIfAborted();
  if (failure) throw failure.error;
}
