import type { TrainingConfig } from "./training-config.js";

/** What a run will do, known before it starts. */
export interface RunPlan {
  numRows: number;
  microBatchesPerEpoch: number;
  updatesPerEpoch: number;
  totalUpdates: number;
  /** Epochs started. */
  numEpochs: number;
  /** Rows that take part in an update, of all ranks together. */
  rowsPerUpdate: number;
  numRanks: number;
}

/** A trainer among those of a run: its place, and how many there are. */
export interface RankOfRun {
  rank: number;
  size: number;
}

const onlyRank: RankOfRun = { rank: 0, size: 1 };

/**
 * Counts of a run: a short last window counts as an update, epochs may be fractional, `maxSteps` overrides them. Each of several ranks has as many
 * micro-batches as the others.
 */
export function planRun(
  numRows: number,
  { perDeviceTrainBatchSize, gradientAccumulationSteps, numTrainEpochs, maxSteps }: TrainingConfig,
  numRanks = 1,
): RunPlan {
  const microBatchesPerEpoch = Math.ceil(numRows / perDeviceTrainBatchSize / numRanks);
  const updatesPerEpoch = Math.ceil(microBatchesPerEpoch / gradientAccumulationSteps);
  const totalUpdates = maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * updatesPerEpoch);
  return {
    numRows,
    microBatchesPerEpoch,
    updatesPerEpoch,
    totalUpdates,
    numEpochs: Math.ceil(totalUpdates / updatesPerEpoch),
    rowsPerUpdate: perDeviceTrainBatchSize * gradientAccumulationSteps * numRanks,
    numRanks,
  };
}

/** How far a run has come in the data. */
export interface PlaceInData {
  /** Whole epochs. */
  epoch: number;
  /** Rows of the epoch that is under way. */
  row: number;
}

/** How far a run has come after `updates` updates. */
export function placeAfter(
  updates: number,
  { updatesPerEpoch, rowsPerUpdate }: Pick<RunPlan, "updatesPerEpoch" | "rowsPerUpdate">,
): PlaceInData {
  return { epoch: Math.floor(updates / updatesPerEpoch), row: (updates % updatesPerEpoch) * rowsPerUpdate };
}

/** The rows of one update's micro-batches: [start, end) indices into the prepared rows; those past the last are the first again. */
export interface MicroBatchRange {
  start: number;
  end: number;
}

/**
 * Micro-batches of update `update` (0-based), in dataset order; the last window of an epoch may be short, and so may the last micro-batch of a single rank. Several
 * ranks take turns, and all have as many micro-batches of as many rows: where the data ends they begin again at its start.
 *
 * @see accelerate 1.x, BatchSamplerShard without split_batches and with even_batches
 */
export function microBatchesOfUpdate(
  update: number,
  plan: RunPlan,
  { perDeviceTrainBatchSize, gradientAccumulationSteps }: TrainingConfig,
  { rank, size }: RankOfRun = onlyRank,
): MicroBatchRange[] {
  const first = (update % plan.updatesPerEpoch) * gradientAccumulationSteps;
  const last = Math.min(first + gradientAccumulationSteps, plan.microBatchesPerEpoch);
  return Array.from({ length: last - first }, (_, index) => {
    const start = ((first + index) * size + rank) * perDeviceTrainBatchSize;
    const end = start + perDeviceTrainBatchSize;
    return { start, end: size === 1 ? Math.min(end, plan.numRows) : end };
  });
}

/**
 * The ranks, from the first, whose statistics enter the losses of update `update`: all of them, but where the data leaves the last turn of an epoch fewer rows than
 * there are ranks only as many. trl gathers KTO's KL estimate, one number a rank, with what cuts the last batch of a loader to the rows that are left in it, and
 * transformers has read that batch before the first of its update is computed.
 *
 * @see accelerate 1.x, gather_for_metrics; transformers 5.24, get_batch_samples
 */
export function ranksInStatistics(update: number, plan: RunPlan, { perDeviceTrainBatchSize }: TrainingConfig, size: number): number {
  const isLastOfEpoch = (update + 1) % plan.updatesPerEpoch === 0;
  const numLeft = plan.numRows % (perDeviceTrainBatchSize * size);
  return isLastOfEpoch && numLeft > 0 ? Math.min(size, numLeft) : size;
}

/** `epoch` of the log after `updates` updates: completed epochs and the share of the current one, by micro-batches. */
export function epochAfter(updates: number, plan: RunPlan, { gradientAccumulationSteps }: TrainingConfig): number {
  const whole = Math.floor(updates / plan.updatesPerEpoch);
  const microBatches = Math.min((updates % plan.updatesPerEpoch) * gradientAccumulationSteps, plan.microBatchesPerEpoch);
  return whole + microBatches / plan.microBatchesPerEpoch;
}

/** What comes after an update. */
export interface Due {
  log: boolean;
  evaluate: boolean;
  save: boolean;
}

/**
 * What the strategies of a run ask for after update `step` (from 1), the last of the run or not. By steps a run ends with an evaluation too, and with a checkpoint by steps and epochs;
 * that of the best is not known before the evaluation.
 */
export function dueAfter(step: number, plan: RunPlan, args: TrainingConfig): Due {
  const isLast = step === plan.totalUpdates;
  const endsEpoch = step % plan.updatesPerEpoch === 0 || isLast;
  const due = (strategy: "no" | "steps" | "epoch" | "best", every: number): boolean =>
    strategy === "steps" ? step % every === 0 : strategy === "epoch" && endsEpoch;
  return {
    log: due(args.loggingStrategy, args.loggingSteps) || (step === 1 && args.loggingFirstStep && args.loggingStrategy !== "no"),
    evaluate: due(args.evalStrategy, args.evalSteps ?? args.loggingSteps) || (isLast && args.evalStrategy === "steps"),
    save: due(args.saveStrategy, args.saveSteps) || (isLast && args.saveStrategy === "steps"),
  };
}
