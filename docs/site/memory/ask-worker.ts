import type { PlannedMemory, RunToPlan } from "./plan-run.js";
import type { PlanAnswer, PlanQuestion } from "./worker.js";

/** Plans in a worker, one run after another. An answer to a question that was asked before the last one is thrown away. */
export class PlanAsker {
  readonly #worker: Worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  #lastId = 0;
  #waiting: RunToPlan | undefined;
  #isBusy = false;

  /** Calls `onAnswer` for the last question of several; `onBroken` if the worker cannot be loaded. */
  constructor(onAnswer: (answer: { planned: PlannedMemory } | { problem: string }) => void, onBroken: (problem: string) => void) {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<PlanAnswer>) => {
      this.#isBusy = false;
      if (this.#waiting) this.#send();
      else if (data.id === this.#lastId) onAnswer(data);
    });
    this.#worker.addEventListener("error", (event) => onBroken(event.message || "the planner could not be loaded; reload the page"));
  }

  ask(run: RunToPlan): void {
    this.#waiting = run;
    if (!this.#isBusy) this.#send();
  }

  end(): void {
    this.#worker.terminate();
  }

  #send(): void {
    this.#isBusy = true;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin to name
    this.#worker.postMessage({ id: ++this.#lastId, run: this.#waiting! } satisfies PlanQuestion);
    this.#waiting = undefined;
  }
}
