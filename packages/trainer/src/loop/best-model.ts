import { followsMetric } from "@kto/optim";
import type { RunSettings } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";

/** What a run has seen of the metric that its best model is chosen by. transformers' `TrainerState` has the first three. */
export interface BestProgress {
  /** `best_metric`; null before there is one. */
  metric: number | null;
  /** `best_global_step`: the update after which it was measured; null where no checkpoints are written. */
  globalStep: number | null;
  /** `best_model_checkpoint`, its name: of that update, or of an earlier best where no checkpoint was due then. */
  checkpoint: string | null;
  /** `early_stopping_patience_counter`: evaluations since the last that was better by more than the threshold. */
  patienceCounter: number;
}

/** The arguments that say what is followed, and for what. */
export type BestModelArguments = Pick<
  TrainingConfig,
  | "loadBestModelAtEnd"
  | "metricForBestModel"
  | "greaterIsBetter"
  | "earlyStoppingPatience"
  | "earlyStoppingThreshold"
  | "saveStrategy"
  | "lrSchedulerType"
>;

/** A metric of the evaluation that a run goes by. */
export interface FollowedMetric {
  /** With its prefix: `eval_loss`. */
  readonly name: string;
  readonly isGreaterBetter: boolean;
}

/** What an evaluation has come to. */
export interface EvaluationOutcome {
  /** It was better than all before it. */
  isNewBest: boolean;
  /** There were so many without progress that the run ends. */
  stops: boolean;
}

/** Of a run that has not begun. */
export function freshBest(): BestProgress {
  return { metric: null, globalStep: null, checkpoint: null, patienceCounter: 0 };
}

/**
 * The metric that a run goes by, undefined where nothing needs one: `metricForBestModel`, or the loss where it is null and something is to follow it.
 * Unless told otherwise a greater value is better, but for names that end in `loss`.
 *
 * @see transformers 5.24, TrainingArguments
 */
export function followedMetric(args: BestModelArguments): FollowedMetric | undefined {
  const { metricForBestModel: given, greaterIsBetter } = args;
  const isNeeded =
    args.loadBestModelAtEnd || args.earlyStoppingPatience !== null || args.saveStrategy === "best" || followsMetric(args.lrSchedulerType);
  if (given === null && !isNeeded) return undefined;
  const metric = given ?? "loss";
  return { name: metric.startsWith("eval_") ? metric : `eval_${metric}`, isGreaterBetter: greaterIsBetter ?? !metric.endsWith("loss") };
}

/**
 * Takes an evaluation into account: first whether it is progress, by more than the threshold, then whether it is the best. NaN is neither.
 *
 * @see transformers 5.24, EarlyStoppingCallback and Trainer
 */
export function weighEvaluation(
  best: BestProgress,
  value: number,
  { args, isGreaterBetter, step }: { args: BestModelArguments; isGreaterBetter: boolean; step: number },
): EvaluationOutcome {
  const isBetter = best.metric === null ? !Number.isNaN(value) : isGreaterBetter ? value > best.metric : value < best.metric;
  const isProgress = isBetter && (best.metric === null || Math.abs(value - best.metric) > args.earlyStoppingThreshold);
  best.patienceCounter = isProgress ? 0 : best.patienceCounter + 1;
  if (isBetter) {
    best.metric = value;
    if (args.saveStrategy !== "no") best.globalStep = step;
  }
  return { isNewBest: isBetter, stops: isStoppedEarly(best, args) };
}

/** Whether a run has come to its early end. */
export function isStoppedEarly(
  { patienceCounter }: BestProgress,
  { earlyStoppingPatience }: Pick<BestModelArguments, "earlyStoppingPatience">,
): boolean {
  return earlyStoppingPatience !== null && patienceCounter >= earlyStoppingPatience;
}

/**
 * The checkpoints that go, of `names` from old to new, so that `limit` stay: the oldest, but never the newest nor the best.
 *
 * @see transformers 5.24, rotate_checkpoints
 */
export function checkpointsToRemove(names: readonly string[], limit: number | null, best: string | null): string[] {
  if (limit === null) return [];
  const kept = new Set([names.at(-1), ...(best !== null && names.includes(best) ? [best] : [])]);
  const numToGo = names.length - Math.max(limit, kept.size);
  return names.filter((name) => !kept.has(name)).slice(0, Math.max(0, numToGo));
}

/**
 * What a run that goes on knows of its best model: what the checkpoint says, if it went by the same metric and its best checkpoint is still among `names`.
 *
 * @param settings  of the run that wrote it; undefined in files from before they were kept
 */
export function resumedBest(
  best: BestProgress,
  { args, settings, names }: { args: BestModelArguments; settings: Pick<RunSettings, "args"> | undefined; names: readonly string[] },
): BestProgress {
  const now = followedMetric(args);
  const was = followedMetric({ ...args, ...(settings?.args as Partial<BestModelArguments> | undefined) });
  if (now !== undefined && (was?.name !== now.name || was.isGreaterBetter !== now.isGreaterBetter)) return freshBest();
  return { ...best, checkpoint: best.checkpoint !== null && names.includes(best.checkpoint) ? best.checkpoint : null };
}
