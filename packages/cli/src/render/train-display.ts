import { dirname } from "node:path";
import type { LogRecord, TrainerEvent, TrainLog } from "@kto/trainer";
import type { RunDisplay } from "../methods/index.js";
import type { Console } from "./console.js";
import { formatBytes, formatCounted, formatNumber, formatSeconds } from "./format.js";
import { tableHead, tableRow } from "./log-table.js";
import type { Progress } from "./progress.js";
import { showCurves } from "./run-curves.js";
import { sparkline } from "./sparkline.js";

type ReferenceCacheEvent = Extract<TrainerEvent, { type: "referenceCache" }>;
type BestModelEvent = Extract<TrainerEvent, { type: "bestModel" }>;

/** Columns of a terminal from which on the bar has a small curve of the loss in it, and of that curve. */
const roomyWidth = 110;
const barCurveWidth = 12;

/** What is seen of a run: a bar, a row of a table at each logging step, and curves at the end. */
export class TrainDisplay {
  readonly #console: Console;
  #steps: Progress | undefined;
  /** As long as no update is done. */
  #begun: { done: number; total: number } | undefined;
  /** Of what goes on between updates: the reference, an evaluation. */
  #between: { name: string; progress: Progress } | undefined;
  #last: TrainLog | undefined;
  #losses: number[] = [];
  #head: string | undefined;
  #isExplained = false;
  #best: BestModelEvent | undefined;
  readonly #display: RunDisplay;

  constructor(console: Console, display: RunDisplay) {
    this.#console = console;
    this.#display = display;
  }

  /** The run begins, with so many updates done: the bar is there while the first is under way. */
  begin(done: number, total: number): void {
    this.#steps?.stop();
    this.#steps = this.#console.progress("step", "updates");
    this.#steps.update({ done, total, text: "" });
    this.#begun = { done, total };
  }

  show(event: TrainerEvent): void {
    const console = this.#console;
    const { columns, evaluation, explain } = this.#display;
    if (event.type === "precompute") {
      this.#track("reference", event);
      if (event.done >= event.total && this.#begun) this.begin(this.#begun.done, this.#begun.total); // whose time is not that of updates
    } else if (event.type === "referenceCache") this.#sayWhereReferenceIs(event);
    else if (event.type === "evaluateProgress") this.#track("evaluating", event);
    else if (event.type === "update") {
      const speed = `${Math.round(event.numTokens / (event.elapsedMs / 1000))} tok/s`;
      const text = [this.#lossText(), speed, formatBytes(event.gpuMemoryBytes)].filter((part) => part !== "").join(" ");
      this.#steps ??= console.progress("step", "updates");
      this.#steps.update({ done: event.step, total: event.totalUpdates, text });
      this.#begun = undefined;
    } else if (event.type === "log") {
      this.#last = event.log;
      this.#losses.push(event.log.loss);
      const width = console.isTerminal ? console.terminalWidth : Infinity;
      const head = tableHead(columns, width);
      if (head !== this.#head) console.line(console.colors.dim(head)); // again, where the window was made so narrow or so wide that columns went or came
      this.#head = head;
      console.line(tableRow(event.log, columns, width));
      const explained = this.#isExplained ? undefined : explain?.(event.log);
      this.#isExplained ||= explained !== undefined;
      if (explained !== undefined) console.note(explained);
    } else if (event.type === "evaluate") {
      this.#stopBetween();
      const shown = evaluation.map(({ title, metric }) => `, ${title} ${formatNumber(event.record[`eval_${metric}`], 3)}`);
      console.line(`evaluation: loss ${formatNumber(event.record["eval_loss"], 6)}${shown.join("")}`);
    } else if (event.type === "checkpoint") console.line(console.colors.dim(`checkpoint: ${event.path}`));
    else if (event.type === "pause") console.line(`paused after update ${event.step}`);
    else if (event.type === "resume") console.line(`goes on after ${formatSeconds(event.pausedMs / 1000)}`);
    else if (event.type === "earlyStop")
      console.line(`stopped early after update ${event.step}: ${formatCounted(event.evaluations, "evaluation")} without progress`);
    else if (event.type === "bestModel") this.#best = event;
  }

  /** Prompts that are answered before or after the run. */
  showSamples(done: number, total: number): void {
    this.#track("answering", { done, total });
    if (done >= total && this.#begun) this.begin(this.#begun.done, this.#begun.total); // whose time is not that of updates
  }

  stop(): void {
    this.#stopBetween();
    this.#steps?.stop();
    this.#steps = undefined;
  }

  /** Curves of what the method looks at, peak memory, and where everything is. */
  finish(history: readonly LogRecord[], peakBytes: number, folder: string, trained: "adapter" | "model"): void {
    const console = this.#console;
    console.line();
    showCurves(console, [{ title: "loss", metric: "loss" }, this.#display.bar], history, history);
    if (this.#best) describeBest(console, this.#best);
    console.fact("memory", `${formatBytes(peakBytes)} at most on the GPU`);
    console.fact(trained, trained === "adapter" ? `${folder}/adapter_model.safetensors` : `${folder}, in float32`);
    console.fact("metrics", `${folder}/metrics.jsonl, trainer_state.json, train_results.json`);
    console.fact("report", `${folder}/report.html`);
    console.fact("config", `${folder}/resolved_config.yaml repeats this run`);
  }

  #sayWhereReferenceIs({ place, byteLength, isHit, problem }: ReferenceCacheEvent): void {
    if (problem !== undefined) {
      this.#console.warn(`log-probabilities of the reference are not kept for the next run: ${problem}`);
      return;
    }
    const where = `${dirname(place)}, ${formatBytes(byteLength)}`;
    const text = isHit ? `from the cache (${where}); what lies there may be removed` : `kept for the next run (${where})`;
    this.#console.fact("reference", `log-probabilities ${text}`);
  }

  /** The loss that was logged last and what the method looks at beside it; where there is room how the loss went. */
  #lossText(): string {
    if (!this.#last) return "";
    const { title, metric } = this.#display.bar;
    const isRoomy = this.#console.terminalWidth >= roomyWidth && this.#losses.length > 1;
    const curve = isRoomy ? ` ${sparkline(this.#losses, barCurveWidth)}` : "";
    return `loss ${formatNumber(this.#last.loss, 3)}${curve} ${title} ${formatNumber(this.#last.metrics[metric], 2)}`;
  }

  /** A bar above that of the updates, which stays for as long as there is no other and gives way when all is done. */
  #track(name: string, { done, total }: { done: number; total: number }): void {
    if (this.#between?.name !== name) this.#stopBetween();
    this.#between ??= { name, progress: this.#console.progress(name, "rows") };
    this.#between.progress.update({ done, total });
    if (done >= total) this.#stopBetween();
  }

  #stopBetween(): void {
    this.#between?.progress.stop();
    this.#between = undefined;
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
