import type { TextSink } from "../io.js";
import { type Progress, Work } from "./progress.js";
import { progressLine, type ProgressUnit } from "./progress-line.js";
import { StatusLine } from "./status-line.js";

/** What is done sooner needs no bar. */
export const barDelayMs = 2000;
/** Least milliseconds between two changes of a bar, and how often its clock moves where nothing is told. */
const drawMs = 100;
const clockMs = 500;
/** Columns where a terminal does not tell. */
const usualColumns = 80;

/**
 * Bars of a terminal: one line, which is that of what began last among those that have taken two seconds. What is drawn while work holds the event loop is drawn as
 * it tells how far it is; else a clock moves it.
 */
export class Bars {
  readonly #sink: TextSink;
  readonly #line: StatusLine;
  readonly #running: Work[] = [];
  #timer: NodeJS.Timeout | undefined;
  #drawnMs = -Infinity;

  constructor(sink: TextSink) {
    this.#sink = sink;
    this.#line = new StatusLine(sink);
  }

  start(name: string, unit: ProgressUnit): Progress {
    const work = new Work(name, unit);
    this.#running.push(work);
    this.#timer ??= setInterval(() => this.#draw(), clockMs).unref();
    const stop = (): void => this.#stop(work);
    return {
      update: (at) => {
        work.update(at);
        if (performance.now() - this.#drawnMs >= drawMs) this.#draw();
      },
      stop,
      [Symbol.dispose]: stop,
    };
  }

  /** Writes a line that stays, above the bar. */
  above(text: string): void {
    this.#line.above(text);
  }

  /** Takes everything away, whatever is under way. */
  end(): void {
    while (this.#running.length > 0) this.#stop(this.#running[0]!);
  }

  #stop(work: Work): void {
    const index = this.#running.indexOf(work);
    if (index < 0) return;
    this.#running.splice(index, 1);
    this.#draw();
    if (this.#running.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #draw(): void {
    this.#drawnMs = performance.now();
    const state = this.#running.findLast((work) => work.ageMs >= barDelayMs && work.state() !== undefined)?.state();
    const columns = this.#sink.columns || usualColumns;
    if (state) this.#line.draw(progressLine(state, columns - 1, { bar: true }));
    else this.#line.clear();
  }
}
