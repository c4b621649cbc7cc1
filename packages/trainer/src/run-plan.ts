import type { KTOConfig } from "./config/kto-config.js";

/** What a run will do, known before it starts. */
export interface RunPlan {
  numRows: number;
  microBatchesPerEpoch: number;
  updatesPerEpoch: number;
  totalUpdates: number;
  /** Epochs started. */
  numEpochs: number;
  /** Rows that take part in an update. */
  rowsPerUpdate: number;
}

/** Counts of a run: a short last window counts as an update, epochs may be fractional, `maxSteps` overrides them. */
export function planRun(
  numRows: number,
  { perDeviceTrainBatchSize, gradientAccumulationSteps, numTrainEpochs, maxSteps }: KTOConfig,
): RunPlan {
  const microBatchesPerEpoch = Math.ceil(numRows / perDeviceTrainBatchSize);
  const updatesPerEpoch = Math.ceil(microBatchesPerEpoch / gradientAccumulationSteps);
  const totalUpdates = maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * updatesPerEpoch);
  return {
    numRows,
    microBatchesPerEpoch,
    updatesPerEpoch,
    totalUpdates,
    numEpochs: Math.ceil(totalUpdates / updatesPerEpoch),
    rowsPerUpdate: perDeviceTrainBatchSize * gradientAccumulationSteps,
  };
}

/** The rows of one update's micro-batches: [start, end) indices into the prepared rows. */
export interface MicroBatchRange {
  start: number;
  end: number;
}

/** Micro-batches of update `update` (0-based), in dataset order; the last window of an epoch may be short. */
export function microBatchesOfUpdate(
  update: number,
  plan: RunPlan,
  { perDeviceTrainBatchSize, gradientAccumulationSteps }: KTOConfig,
): MicroBatchRange[] {
  const first = (update % plan.updatesPerEpoch) * gradientAccumulationSteps;
  const last = Math.min(first + gradientAccumulationSteps, plan.microBatchesPerEpoch);
  return Array.from({ length: last - first }, (_, index) => {
    const start = (first + index) * perDeviceTrainBatchSize;
    return { start, end: Math.min(start + perDeviceTrainBatchSize, plan.numRows) };
  });
}

/** `epoch` of the log after `updates` updates: completed epochs and the share of the current one, by micro-batches. */
export function epochAfter(updates: number, plan: RunPlan, { gradientAccumulationSteps }: KTOConfig): number {
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

/** What the strategies of a run ask for after update `step` (from 1). */
export function dueAfter(step: number, plan: RunPlan, args: KTOConfig): Due {
  const isLast = step === plan.totalUpdates;
  const endsEpoch = step % plan.updatesPerEpoch === 0 || isLast;
  const due = (strategy: "no" | "steps" | "epoch", every: number): boolean =>
    strategy === "steps" ? step % every === 0 : strategy === "epoch" && endsEpoch;
  return {
    log: due(args.loggingStrategy, args.loggingSteps) || (step === 1 && args.loggingFirstStep && args.loggingStrategy !== "no"),
    evaluate: due(args.evalStrategy, args.evalSteps ?? args.loggingSteps),
    save: due(args.saveStrategy, args.saveSteps) || (isLast && args.saveStrategy !== "no"),
  };
}
