import type { Console } from "./console.js";
import type { Progress } from "./progress.js";
import type { ProgressUnit } from "./progress-line.js";

/** Shows work that comes in stages, a bar each; `onProgress` is handed over as an option of that name. */
export class StagedProgress<Stage extends string> implements Disposable {
  readonly #console: Console;
  readonly #stages: Readonly<Record<Stage, readonly [name: string, unit: ProgressUnit]>>;
  #running: { stage: Stage; progress: Progress } | undefined;

  constructor(console: Console, stages: Readonly<Record<Stage, readonly [name: string, unit: ProgressUnit]>>) {
    this.#console = console;
    this.#stages = stages;
  }

  readonly onProgress = ({ stage, done, total }: { stage: Stage; done: number; total: number }): void => {
    if (this.#running?.stage !== stage) {
      this.stop();
      const [name, unit] = this.#stages[stage];
      this.#running = { stage, progress: this.#console.progress(name, unit) };
    }
    this.#running.progress.update({ done, total });
  };

  stop(): void {
    this.#running?.progress.stop();
    this.#running = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

/** Bars of data that is prepared. */
export function preparingProgress(console: Console, name = "tokenizing"): StagedProgress<"checking" | "tokenizing"> {
  return new StagedProgress(console, { checking: ["looking at rows", "rows"], tokenizing: [name, "rows"] });
}
