import type { CausalLM } from "@kto/tensor";
import { largestBatches } from "./largest-batches.js";
import { planMemory, type MemoryPlan } from "./memory-plan.js";
import { largestPasses, type BatchPasses } from "./largest-passes.js";
import type { PassLayout } from "./passes.js";

/** What the memory of a run is planned from. */
export interface RunMemoryInput<Row> {
  model: CausalLM;
  gradientCheckpointing: boolean | "auto";
  /** Goes through the micro-batches of the updates that are left; they are gone through several times and never all kept. */
  trainingBatches(): Iterable<readonly Row[]>;
  /** None without evaluations. */
  evaluationBatches(): Iterable<readonly Row[]>;
  passesOf(batch: readonly Row[]): BatchPasses;
  /** Records a micro-batch with its backward pass; calls `onForward` when activations have been kept. */
  recordMicroBatch(layout: PassLayout, rows: readonly Row[], onForward: () => void): void;
  recordEvaluation(layout: PassLayout, rows: readonly Row[]): void;
  recordOptimizer(): void;
}

/** How a run is laid out to fit into memory, by its largest micro-batches and evaluation batches; throws OutOfMemoryError if it cannot be. */
export function planRunMemory<Row>(input: RunMemoryInput<Row>): MemoryPlan {
  const { model, trainingBatches, evaluationBatches, passesOf } = input;
  const passes = function* (): Generator<BatchPasses> {
    for (const batches of [trainingBatches, evaluationBatches]) for (const batch of batches()) yield passesOf(batch);
  };
  const training = largestBatches(trainingBatches(), passesOf);
  const evaluation = largestBatches(evaluationBatches(), passesOf);
  model.prepare?.(Math.max(training.longestRow, evaluation.longestRow));
  return planMemory({
    device: model.device,
    numLayers: model.numHiddenLayers,
    gradientCheckpointing: input.gradientCheckpointing,
    budgetBytes: model.device.memory.budgetBytes,
    largestMicroBatch: training.mostTokens,
    longestRow: training.longestRow,
    hasJoint: training.hasJoint || evaluation.hasJoint,
    largestPasses: (layout) => largestPasses(passes(), layout),
    record: (layout, onForward) => {
      for (const batch of training.batches) input.recordMicroBatch(layout, batch, onForward);
      for (const batch of evaluation.batches) input.recordEvaluation(layout, batch);
      input.recordOptimizer();
    },
  });
}
