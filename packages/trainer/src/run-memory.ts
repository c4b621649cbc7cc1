import type { CausalLM } from "@kto/tensor";
import type { KTOConfig } from "./config/kto-config.js";
import type { KtoRow } from "./data/index.js";
import { mismatched, type PassLayout, type TrainingRow } from "./kto-micro-batch.js";
import { largestBatches } from "./largest-batches.js";
import { planMemory, type MemoryPlan } from "./memory-plan.js";
import { largestPass } from "./passes.js";
import { microBatchesOfUpdate, type RunPlan } from "./run-plan.js";

/** What the memory of a run is planned from. */
export interface RunMemoryInput {
  model: CausalLM;
  args: KTOConfig;
  plan: RunPlan;
  /** Updates that are done already. */
  firstUpdate: number;
  rows: readonly TrainingRow[];
  /** None without evaluations. */
  evalRows: readonly KtoRow[];
  budgetBytes: number | undefined;
  /** Records a micro-batch with its backward pass; calls `onForward` when activations have been kept. */
  recordMicroBatch(layout: PassLayout, rows: readonly TrainingRow[], onForward: () => void): void;
  recordEvaluation(layout: PassLayout, rows: readonly KtoRow[]): void;
  recordOptimizer(): void;
}

/** How a run is laid out to fit into memory, by its largest micro-batches and evaluation batches; throws OutOfMemoryError if it cannot be. */
export function planRunMemory(input: RunMemoryInput): MemoryPlan {
  const { model, args, plan, rows, evalRows } = input;
  const { maxLength, perDeviceEvalBatchSize: evalBatchSize } = args;
  const updatesLeft = Math.max(0, plan.totalUpdates - input.firstUpdate);
  const ranges = Array.from({ length: Math.min(plan.updatesPerEpoch, updatesLeft) }, (_, index) =>
    microBatchesOfUpdate(input.firstUpdate + index, plan, args),
  ).flat();
  const trainingBatches = ranges.map(({ start, end }) => rows.slice(start, end));
  const evaluationBatches = Array.from({ length: Math.ceil(evalRows.length / evalBatchSize) }, (_, index) =>
    evalRows.slice(index * evalBatchSize, (index + 1) * evalBatchSize),
  );
  const passes = [...trainingBatches, ...evaluationBatches].flatMap((batch) =>
    args.lossType === "kto" ? [batch, batch.map(mismatched)] : [batch],
  );
  const training = largestBatches(trainingBatches, maxLength);
  const evaluation = largestBatches(evaluationBatches, maxLength);
  model.prepare?.(Math.max(training.longestRow, evaluation.longestRow));
  return planMemory({
    device: model.device,
    numLayers: model.numHiddenLayers,
    gradientCheckpointing: args.gradientCheckpointing,
    budgetBytes: input.budgetBytes,
    largestMicroBatch: training.mostTokens,
    longestRow: training.longestRow,
    largestPass: (tokensPerPass) => largestPass(passes, maxLength, tokensPerPass),
    record: (layout, onForward) => {
      for (const batch of training.batches) input.recordMicroBatch(layout, batch, onForward);
      for (const batch of evaluation.batches) input.recordEvaluation(layout, batch);
      input.recordOptimizer();
    },
  });
}
