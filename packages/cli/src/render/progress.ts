import type { ProgressState, ProgressUnit } from "./progress-line.js";

/** How far something has come. */
export interface ProgressUpdate {
  done: number;
  total: number;
  /** What else is to be told, in place of the speed. */
  text?: string;
  /** Another name than that it began under. */
  name?: string;
  /** How many a second, where whoever tells it knows better than the time between updates. */
  perSecond?: number;
}

/** Something that takes a while. */
export interface Progress extends Disposable {
  update(at: ProgressUpdate): void;
  /** Takes it away; once is enough, and more is no mistake. */
  stop(): void;
}

/** Samples that the speed is measured over: ten seconds of what is told often, so many updates of what is told seldom. */
const maxSamples = 20;
const sampleMs = 500;

/** Something under way: what was told of it last, and how fast it is. */
export class Work {
  readonly startMs = performance.now();
  readonly #unit: ProgressUnit;
  #name: string;
  #last: ProgressUpdate | undefined;
  readonly #samples: { ms: number; done: number }[] = [];

  constructor(name: string, unit: ProgressUnit) {
    this.#name = name;
    this.#unit = unit;
  }

  get ageMs(): number {
    return performance.now() - this.startMs;
  }

  update(at: ProgressUpdate): void {
    const ms = performance.now();
    this.#last = at;
    this.#name = at.name ?? this.#name;
    // What was done when it began was not done by it; without a first word of that, it began with nothing.
    if (this.#samples.length === 0)
      this.#samples.push(ms - this.startMs > sampleMs ? { ms: this.startMs, done: 0 } : { ms, done: at.done });
    if (ms - this.#samples.at(-1)!.ms < sampleMs) return;
    this.#samples.push({ ms, done: at.done });
    if (this.#samples.length > maxSamples) this.#samples.shift();
  }

  /** How far it is; undefined before anything was told. */
  state(): ProgressState | undefined {
    if (!this.#last) return undefined;
    const { done, total, text, perSecond = this.#speed() } = this.#last;
    return { name: this.#name, done, total, unit: this.#unit, elapsedMs: this.ageMs, perSecond, text };
  }

  #speed(): number {
    const [first, last] = [this.#samples[0]!, this.#samples.at(-1)!];
    const seconds = (last.ms - first.ms) / 1000;
    return seconds > 0 ? Math.max(0, last.done - first.done) / seconds : 0;
  }
}
