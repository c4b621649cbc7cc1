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
  };
}

/** The rows of one update's micro-batches: [start, end) indices into the prepared rows. */
export interface MicroBatchRange {
  start: number;
  end: number;
}

/**
 * Micro-batches of update `update` (0-based), in dataset order; the last window of an epoch may be short. Several ranks take turns, as in accelerate; where
 * the data ends before each has had its turn, those that are left begin again at its start.
 */
export function microBatchesOfUpdate(
  update: number,
  plan: RunPlan,
  { perDeviceTrainBatchSize, gradientAccumulationSteps }: TrainingConfig,
  { rank, size }: RankOfRun = onlyRank,
): MicroBatchRange[] {
  const numBatches = Math.ceil(plan.numRows / perDeviceTrainBatchSize);
  const first = (update % plan.updatesPerEpoch) * gradientAccumulationSteps;
  const last = Math.min(first + gradientAccumulationSteps, plan.microBatchesPerEpoch);
  return Array.from({ length: last - first }, (_, index) => {
    const start = (((first + index) * size + rank) % numBatches) * perDeviceTrainBatchSize;
    return { start, end: Math.min(start + perDeviceTrainBatchSize, plan.numRows) };
  });
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
