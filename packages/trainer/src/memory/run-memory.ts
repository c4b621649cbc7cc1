import type { CausalLM } from "@kto/tensor";
import { largestBatches } from "./largest-batches.js";
import { planMemory, type MemoryPlan } from "./memory-plan.js";
import { largestPass, type PassLayout, type PassUnit } from "./passes.js";

/** What the memory of a run is planned from. */
export interface RunMemoryInput<Row> {
  model: CausalLM;
  gradientCheckpointing: boolean | "auto";
  /** Micro-batches of the updates that are left, of one epoch at most. */
  trainingBatches: readonly (readonly Row[])[];
  /** None without evaluations. */
  evaluationBatches: readonly (readonly Row[])[];
  /** The sequences of each forward pass of a batch. */
  passesOf(batch: readonly Row[]): readonly (readonly PassUnit[])[];
  /** Records a micro-batch with its backward pass; calls `onForward` when activations have been kept. */
  recordMicroBatch(layout: PassLayout, rows: readonly Row[], onForward: () => void): void;
  recordEvaluation(layout: PassLayout, rows: readonly Row[]): void;
  recordOptimizer(): void;
}

/** How a run is laid out to fit into memory, by its largest micro-batches and evaluation batches; throws OutOfMemoryError if it cannot be. */
export function planRunMemory<Row>(input: RunMemoryInput<Row>): MemoryPlan {
  const { model, trainingBatches, evaluationBatches, passesOf } = input;
  const passes = [...trainingBatches, ...evaluationBatches].flatMap(passesOf);
  const training = largestBatches(trainingBatches, passesOf);
  const evaluation = largestBatches(evaluationBatches, passesOf);
  model.prepare?.(Math.max(training.longestRow, evaluation.longestRow));
  return planMemory({
    device: model.device,
    numLayers: model.numHiddenLayers,
    gradientCheckpointing: input.gradientCheckpointing,
    budgetBytes: model.device.memory.budgetBytes,
    largestMicroBatch: training.mostTokens,
    longestRow: training.longestRow,
    largestPass: (tokensPerPass) => largestPass(passes, tokensPerPass),
    record: (layout, onForward) => {
      for (const batch of training.batches) input.recordMicroBatch(layout, batch, onForward);
      for (const batch of evaluation.batches) input.recordEvaluation(layout, batch);
      input.recordOptimizer();
    },
  });
}
