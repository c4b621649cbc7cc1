import type { LogRecord, TrainerEvent, TrainLog } from "@kto/trainer";
import type { RunDisplay } from "../methods/index.js";
import type { Console, Progress } from "./console.js";
import { formatBytes, formatCounted, formatNumber, formatSeconds } from "./format.js";
import { tableHead, tableRow } from "./log-table.js";
import { chart } from "./loss-curve.js";

type BestModelEvent = Extract<TrainerEvent, { type: "bestModel" }>;

/** What is seen of a run: a bar, a row of a table at each logging step, and a curve at the end. */
export class TrainDisplay {
  readonly #console: Console;
  #progress: Progress | undefined;
  #last: TrainLog | undefined;
  #hasHead = false;
  #isExplained = false;
  #best: BestModelEvent | undefined;
  readonly #display: RunDisplay;

  constructor(console: Console, display: RunDisplay) {
    this.#console = console;
    this.#display = display;
  }

  show(event: TrainerEvent): void {
    const console = this.#console;
    const { columns, bar, evaluation, explain } = this.#display;
    if (event.type === "precompute") this.#track("reference", event.done, event.total);
    else if (event.type === "update") {
      const seconds = event.elapsedMs / 1000;
      const left = (seconds / (event.step - event.startStep)) * (event.totalUpdates - event.step);
      const loss = this.#last ? `loss ${this.#last.loss.toFixed(4)} ${bar.title} ${formatNumber(this.#last.metrics[bar.metric], 2)} ` : "";
      this.#track(
        "step",
        event.step,
        event.totalUpdates,
        `${loss}${Math.round(event.numTokens / seconds)} tok/s ${formatBytes(event.gpuMemoryBytes)} ${formatSeconds(left)} left`,
      );
    } else if (event.type === "log") {
      this.#last = event.log;
      if (!this.#hasHead) console.line(console.colors.dim(tableHead(columns)));
      this.#hasHead = true;
      console.line(tableRow(event.log, columns));
      const explained = this.#isExplained ? undefined : explain?.(event.log);
      this.#isExplained ||= explained !== undefined;
      if (explained !== undefined) console.note(explained);
    } else if (event.type === "evaluate") {
      const shown = evaluation.map(({ title, metric }) => `, ${title} ${formatNumber(event.record[`eval_${metric}`], 3)}`);
      console.line(`evaluation: loss ${formatNumber(event.record["eval_loss"], 6)}${shown.join("")}`);
    } else if (event.type === "checkpoint") console.line(console.colors.dim(`checkpoint: ${event.path}`));
    else if (event.type === "pause") console.line(`paused after update ${event.step}`);
    else if (event.type === "resume") console.line(`goes on after ${formatSeconds(event.pausedMs / 1000)}`);
    else if (event.type === "earlyStop")
      console.line(`stopped early after update ${event.step}: ${formatCounted(event.evaluations, "evaluation")} without progress`);
    else if (event.type === "bestModel") this.#best = event;
  }

  stop(): void {
    this.#progress?.stop();
    this.#progress = undefined;
  }

  /** Peak memory, the curve of the loss, and where everything is. */
  finish(history: readonly LogRecord[], peakBytes: number, folder: string, trained: "adapter" | "model"): void {
    const console = this.#console;
    console.line();
    const curve = chart(
      history.flatMap((record) => (record["loss"] === undefined ? [] : [record["loss"]])),
      { width: console.terminalWidth - 1 },
    );
    if (curve !== "") console.line(`loss\n${curve}\n`);
    if (this.#best) describeBest(console, this.#best);
    console.fact("memory", `${formatBytes(peakBytes)} at most on the GPU`);
    console.fact(trained, trained === "adapter" ? `${folder}/adapter_model.safetensors` : `${folder}, in float32`);
    console.fact("metrics", `${folder}/metrics.jsonl, trainer_state.json, train_results.json`);
    console.fact("report", `${folder}/report.html`);
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

/** Which checkpoint is the best, and whether it is what was saved; warns where that is not what was asked for. */
function describeBest(console: Console, { metric, value, step, checkpoint, isLoaded, isWanted }: BestModelEvent): void {
  const best = `${metric} ${formatNumber(value, 6)}${step === undefined ? "" : ` after update ${step}`}`;
  const isOfBest = checkpoint !== undefined && checkpoint.endsWith(`-${step}`);
  if (isLoaded) console.fact("best", `${best}; what is saved is that of ${checkpoint}`);
  else console.fact("best", isOfBest ? `${best}, ${checkpoint}` : best);
  if (!isWanted || isOfBest) return;
  console.warn(
    `load_best_model_at_end: no checkpoint was due after update ${step}, the best one; ${
      isLoaded ? "that of the best before it is saved" : "the last weights are saved"
    }. save_strategy: best writes one whenever it is the best`,
  );
}
