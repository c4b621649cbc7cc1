import type { LogRecord, TrainerEvent, TrainLog } from "@kto/trainer";
import type { Console, Progress } from "./console.js";
import { formatBytes, formatNumber, formatSeconds } from "./format.js";
import { tableHead, tableRow } from "./log-table.js";
import { chart } from "./loss-curve.js";

/** What is seen of a run: a bar, a row of a table at each logging step, and a curve at the end. */
export class TrainDisplay {
  readonly #console: Console;
  #progress: Progress | undefined;
  #last: TrainLog | undefined;
  #hasHead = false;
  #hasKlNote = false;

  readonly #estimatesKl: boolean;

  /** `estimatesKl`: whether the loss has a KL estimate, which is then explained where it is 0. */
  constructor(console: Console, { estimatesKl }: { estimatesKl: boolean }) {
    this.#console = console;
    this.#estimatesKl = estimatesKl;
  }

  show(event: TrainerEvent): void {
    const console = this.#console;
    if (event.type === "precompute") this.#track("reference", event.done, event.total);
    else if (event.type === "update") {
      const seconds = event.elapsedMs / 1000;
      const left = (seconds / (event.step - event.startStep)) * (event.totalUpdates - event.step);
      const loss = this.#last ? `loss ${this.#last.loss.toFixed(4)} margin ${formatNumber(this.#last.rewards.margins, 2)} ` : "";
      this.#track(
        "step",
        event.step,
        event.totalUpdates,
        `${loss}${Math.round(event.numTokens / seconds)} tok/s ${formatBytes(event.gpuMemoryBytes)} ${formatSeconds(left)} left`,
      );
    } else if (event.type === "log") {
      this.#last = event.log;
      if (!this.#hasHead) console.line(console.colors.dim(tableHead));
      this.#hasHead = true;
      console.line(tableRow(event.log));
      if (this.#estimatesKl && !this.#hasKlNote && event.log.metrics["kl"] === 0) {
        this.#hasKlNote = true;
        console.note(
          "kl 0: the policy rates other rows' completions no higher than the reference does. The estimate never falls below 0, and runs that learn often stay there.",
        );
      }
    } else if (event.type === "evaluate") {
      const { eval_loss: loss, "eval_rewards/margins": margins, eval_kl: kl } = event.record;
      console.line(`evaluation: loss ${formatNumber(loss, 6)}, margins ${formatNumber(margins, 3)}, kl ${formatNumber(kl, 3)}`);
    } else if (event.type === "checkpoint") console.line(console.colors.dim(`checkpoint: ${event.path}`));
  }

  stop(): void {
    this.#progress?.stop();
    this.#progress = undefined;
  }

  /** Peak memory, the curve of the loss, and where everything is. */
  finish(history: readonly LogRecord[], peakBytes: number, folder: string): void {
    const console = this.#console;
    console.line();
    const curve = chart(
      history.flatMap((record) => (record["loss"] === undefined ? [] : [record["loss"]])),
      { width: console.terminalWidth - 1 },
    );
    if (curve !== "") console.line(`loss\n${curve}\n`);
    console.fact("memory", `${formatBytes(peakBytes)} at most on the GPU`);
    console.fact("adapter", `${folder}/adapter_model.safetensors`);
    console.fact("metrics", `${folder}/metrics.jsonl, trainer_state.json, train_results.json`);
    console.fact("config", `${folder}/resolved_config.yaml repeats this run`);
  }

  #name = "";

  #track(name: string, done: number, total: number, text?: string): void {
    if (name !== this.#name) this.stop();
    this.#name = name;
    this.#progress ??= this.#console.progress(name, total);
    this.#progress.update(done, text);
  }
}
