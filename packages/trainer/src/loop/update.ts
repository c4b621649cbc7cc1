import type { Optimizer } from "@kto/optim";
import type { GradientSink, ParameterBucket, Tensor } from "@kto/tensor";
import { rowsAround, type RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import type { TrainerEvent } from "./events.js";
import type { GradientSums } from "./gradient-sums.js";
import type { BackwardPass, Method, RecordedTensors } from "./method.js";
import { disposeAll, recordMicroBatch, recordMicroBatchTogether, type MicroBatchContext, type RecordedMicroBatch } from "./micro-batch.js";
import { groupsOfUpdate } from "./passes-of-update.js";
import type { Policy } from "./policy.js";
import { microBatchesOfUpdate, ranksInStatistics, type RunPlan } from "./run-plan.js";
import type { TrainingConfig } from "./training-config.js";

/** What updates are recorded with. */
export interface UpdateContext<Row extends SourceRow> extends MicroBatchContext<Row> {
  policy: Policy;
  args: TrainingConfig;
  counts: RunPlan;
  optimizer: Optimizer;
  /** In the layout of the policy's parameters. */
  gradients: readonly ParameterBucket[];
  gradientSums: GradientSums;
}

/** An update that was recorded and not read. */
export interface PendingUpdate<Row> {
  step: number;
  learningRate: number;
  microBatches: RecordedMicroBatch<Row>[];
  /** [1] f32, before clipping */
  gradNorm: Tensor;
}

/** Where a micro-batch stands in the run. */
interface Place {
  /** From 1. */
  step: number;
  index: number;
  /** Micro-batches of the update. */
  count: number;
  /** Its share of the update's loss, all ranks together; where the method does not weigh, each has the same. */
  share?: number | undefined;
}

/** Records the passes of one update, and the optimizer's step; nothing is read back. */
export async function recordUpdate<Row extends SourceRow>(
  run: UpdateContext<Row>,
  rows: RowSequence<Row>,
  { step, learningRate, emit }: { step: number; learningRate: number; emit(event: TrainerEvent): void },
): Promise<PendingUpdate<Row>> {
  const { args, counts, collective, optimizer, gradients, gradientSums, method } = run;
  const { rank, size } = collective;
  const ranges = Array.from({ length: size }, (_, other) => microBatchesOfUpdate(step - 1, counts, args, { rank: other, size }));
  const count = ranges[rank]!.length;
  const batches = Array.from({ length: count }, (_, index) =>
    ranges.map((ofRank) => rowsAround(rows, ofRank[index]!.start, ofRank[index]!.end)),
  );
  const shares = sharesOf(method, batches);
  const places = batches.map((_, index): Place => ({ step, index, count, share: shares?.[index]![rank] }));
  const numRanks = ranksInStatistics(step - 1, counts, args, size);
  const microBatches: RecordedMicroBatch<Row>[] = [];
  for (const bucket of gradients) bucket.clear();
  try {
    const own = batches.map((rowsByRank) => rowsByRank[rank]!);
    for (const group of groupsOfUpdate(run, own, run.context.layout)) {
      const first = microBatches.length;
      const isLast = first + group.length === count;
      const recorded = await recordGroup(run, group, places.slice(first, first + group.length), { numRanks, isLast });
      microBatches.push(...recorded.map((tensors, next) => ({ rowsByRank: batches[first + next]!, tensors })));
      for (let index = first; index < microBatches.length; index++) emit({ type: "microBatch", step, index, count });
    }
    await gradientSums.sum();
    const gradNorm = optimizer.apply(gradients, { learningRate, maxGradNorm: args.maxGradNorm });
    return { step, learningRate, microBatches, gradNorm };
  } catch (error) {
    disposeAll(microBatches);
    throw error;
  }
}

/** Records micro-batches that go through together, or one. */
async function recordGroup<Row extends SourceRow>(
  run: UpdateContext<Row>,
  group: readonly (readonly Row[])[],
  places: readonly Place[],
  { numRanks, isLast }: { numRanks: number; isLast: boolean },
): Promise<readonly RecordedTensors[]> {
  if (group.length > 1) return recordTogether(run, group, places, { isLast });
  const [place] = places as [Place];
  const dropout = <T>(body: () => T): T => withDropout(run, place, body);
  return [await recordMicroBatchTogether(run, group[0]!, backwardPass(run, place, isLast), { dropout, numRanks })];
}

/** Records several micro-batches in one forward and one backward pass. */
function recordTogether<Row extends SourceRow>(
  run: UpdateContext<Row>,
  group: readonly (readonly Row[])[],
  places: readonly Place[],
  { isLast = false, onForward }: { isLast?: boolean; onForward?: () => void },
): readonly RecordedTensors[] {
  const passes = places.map((place) => backwardPass(run, place, isLast));
  const together = { scales: passes.map(({ scale }) => scale), sink: passes[0]!.sink, onForward };
  return run.context.model.device.scope("micro-batches", () => run.method.recordTogether!(run.context, group, together));
}

/** What each micro-batch counts in the loss of its update, by index and rank; undefined where the method does not weigh. */
function sharesOf<Row extends SourceRow>(method: Method<Row>, batches: readonly (readonly (readonly Row[])[])[]): number[][] | undefined {
  if (!method.weightOf) return undefined;
  const weights = batches.map((rowsByRank) => rowsByRank.map((rows) => method.weightOf!(rows)));
  const total = Math.max(
    weights.flat().reduce((sum, weight) => sum + weight, 0),
    1,
  );
  return weights.map((ofRanks) => ofRanks.map((weight) => weight / total));
}

/** Records one micro-batch, or several that go through together, as an update would, for planning memory: their results go with the scope. */
export function rehearseGroup<Row extends SourceRow>(
  run: UpdateContext<Row>,
  group: readonly (readonly Row[])[],
  onForward: () => void,
): void {
  const places = group.map((_, index): Place => ({ step: 0, index, count: group.length }));
  if (group.length > 1) return void recordTogether(run, group, places, { onForward });
  const [place] = places as [Place];
  withDropout(run, place, () => recordMicroBatch(run, group[0]!, { ...backwardPass(run, place), onForward }));
}

/** Records the optimizer's step without counting it, for planning memory. */
export function rehearseOptimizer<Row extends SourceRow>({ optimizer, gradients, args }: UpdateContext<Row>): void {
  const { step } = optimizer;
  optimizer.apply(gradients, { learningRate: 0, maxGradNorm: args.maxGradNorm });
  optimizer.step = step;
}

/** Gradients of a micro-batch are its share of the mean over all of the update, on every rank; after the last passes of it they are those of the update. */
function backwardPass<Row extends SourceRow>(
  { args, policy, collective, gradients, gradientSums }: UpdateContext<Row>,
  { count, share }: Place,
  isLast = false,
): BackwardPass {
  const lossScale = args.lossScale === "auto" ? (policy.base.dtype === "f16" ? 2 ** 14 : 1) : args.lossScale;
  const scale = share === undefined ? lossScale / count / collective.size : lossScale * share;
  const sinks = policy.buckets.map((bucket, index) => gradients[index]!.sink(bucket, 1 / lossScale));
  const sink = anyOf(sinks);
  return { scale, sink: isLast ? gradientSums.watch(sink) : sink };
}

/** What goes to the first of some sinks that takes it. */
function anyOf(sinks: readonly GradientSink[]): GradientSink {
  return {
    take: (leaf, gradient) => sinks.some((sink) => sink.take(leaf, gradient)),
    sumOf(leaf) {
      for (const sink of sinks) {
        const sum = sink.sumOf?.(leaf);
        if (sum) return sum;
      }
      return undefined;
    },
  };
}

function withDropout<Row extends SourceRow, T>(
  { args, policy, collective: { rank, size } }: UpdateContext<Row>,
  { step, index }: Place,
  body: () => T,
): T {
  return args.disableDropout ? body() : policy.withDropout(mixSeed(args.seed, step, index * size + rank), body);
}

function mixSeed(seed: number, step: number, microBatch: number): number {
  return (Math.imul(seed, 0x9e3779b1) ^ Math.imul(step, 0x85ebca6b) ^ Math.imul(microBatch + 1, 0xc2b2ae35)) >>> 0;
}
