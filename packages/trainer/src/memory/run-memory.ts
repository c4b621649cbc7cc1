import type { CausalLM } from "@kto/tensor";
import type { LayoutChoice } from "./choose-layout.js";
import { largestBatches } from "./largest-batches.js";
import { planMemory, type MemoryPlan } from "./memory-plan.js";
import { largestPasses, type BatchPasses } from "./largest-passes.js";
import { wholeBatches, type PassLayout } from "./passes.js";

/** What the memory of a run is planned from. A batch is the rows of one; micro-batches that go through together are a group. */
export interface RunMemoryInput<Batch> extends Pick<LayoutChoice, "gradientCheckpointing" | "microBatchesPerPass" | "mostPerPass"> {
  model: CausalLM;
  /** Goes through the micro-batches of the updates that are left, in groups that go through together under a layout; they are gone through several times and never all kept. */
  trainingGroups(layout: PassLayout): Iterable<readonly Batch[]>;
  /** None without evaluations. */
  evaluationBatches(): Iterable<Batch>;
  passesOf(batch: Batch): BatchPasses;
  /** Records a group of micro-batches with its backward pass; calls `onForward` when activations have been kept. */
  recordGroup(layout: PassLayout, group: readonly Batch[], onForward: () => void): void;
  recordEvaluation(layout: PassLayout, batch: Batch): void;
  recordOptimizer(): void;
}

/** How a run is laid out to fit into memory, by its largest micro-batches and evaluation batches; throws OutOfMemoryError if it cannot be. */
export function planRunMemory<Batch>(input: RunMemoryInput<Batch>): MemoryPlan {
  const { model, trainingGroups, passesOf } = input;
  const evaluationGroups = function* (): Generator<Batch[]> {
    for (const batch of input.evaluationBatches()) yield [batch];
  };
  const passes = function* (layout: PassLayout): Generator<BatchPasses[]> {
    for (const groups of [trainingGroups(layout), evaluationGroups()]) for (const group of groups) yield group.map(passesOf);
  };
  const training = largestBatches(trainingGroups(wholeBatches), passesOf);
  const evaluation = largestBatches(evaluationGroups(), passesOf);
  const largestGroups = new Map<string, readonly (readonly Batch[])[]>();
  const groupsUnder = (layout: PassLayout): readonly (readonly Batch[])[] => {
    const { microBatchesPerPass = 1, tokensTogether } = layout;
    if (microBatchesPerPass === 1) return training.groups;
    const key = `${microBatchesPerPass} ${tokensTogether}`;
    const found = largestGroups.get(key) ?? largestBatches(trainingGroups(layout), passesOf).groups;
    largestGroups.set(key, found);
    return found;
  };
  model.prepare?.(Math.max(training.longestRow, evaluation.longestRow));
  return planMemory({
    ...input,
    device: model.device,
    numLayers: model.numHiddenLayers,
    budgetBytes: model.device.memory.budgetBytes,
    largestMicroBatch: training.mostTokens,
    longestRow: training.longestRow,
    hasJoint: training.hasJoint || evaluation.hasJoint,
    largestPasses: (layout) => largestPasses(passes(layout), layout),
    record: (layout, onForward) => {
      for (const group of groupsUnder(layout)) input.recordGroup(layout, group, onForward);
      for (const [batch] of evaluation.groups) input.recordEvaluation(layout, batch!);
      input.recordOptimizer();
    },
  });
}
