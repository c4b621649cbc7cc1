import { wholeBatches, type PassLayout } from "../memory/passes.js";
import type { MemoryPlan } from "../memory/memory-plan.js";
import { planRunMemory } from "../memory/run-memory.js";
import { sketchedBatches, sketchedRows, type RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import { recordMicroBatch } from "./micro-batch.js";
import { rowOrder } from "./row-order.js";
import { microBatchesOfUpdate } from "./run-plan.js";
import { groupsOfUpdate, mostPerPass } from "./passes-of-update.js";
import { rehearseGroup, rehearseOptimizer, type UpdateContext } from "./update.js";

/** Rows of a run, and where it begins. */
export interface RowsOfRun<Row> {
  rows: RowSequence<Row>;
  /** None without evaluations. */
  evalRows: RowSequence<Row>;
  /** Updates that are done already. */
  startStep: number;
}

/** Plans the memory of the updates and evaluations that are left. Throws OutOfMemoryError if they do not fit. */
export function planMemoryOfRun<Row extends SourceRow>(
  run: Omit<UpdateContext<Row>, "context"> & { context: Omit<UpdateContext<Row>["context"], "layout"> },
  { rows, evalRows, startStep }: RowsOfRun<Row>,
): MemoryPlan {
  const { args, counts, method, collective } = run;
  const { base } = run.context.model;
  const order = rowOrder(rows, method.shuffleSeed);
  const updatesLeft = Math.max(0, counts.totalUpdates - startStep);
  // Every epoch has the micro-batches of the first, unless rows are shuffled.
  const numUpdates = method.shuffleSeed === undefined ? Math.min(counts.updatesPerEpoch, updatesLeft) : updatesLeft;
  const trainingGroups = function* (layout: PassLayout): Generator<(readonly Row[])[]> {
    for (let update = startStep; update < startStep + numUpdates; update++) {
      const ofEpoch = order(Math.floor(update / counts.updatesPerEpoch));
      const ranges = microBatchesOfUpdate(update, counts, args, collective);
      const microBatches = ranges.map(({ start, end }) => sketchedRows(ofEpoch, start, end));
      yield* groupsOfUpdate(run, microBatches, layout);
    }
  };
  const under = (layout: PassLayout): UpdateContext<Row> => ({ ...run, context: { ...run.context, layout } });
  return planRunMemory<readonly Row[]>({
    model: base,
    gradientCheckpointing: args.gradientCheckpointing,
    microBatchesPerPass: args.microBatchesPerPass,
    mostPerPass: mostPerPass(method, args, collective),
    trainingGroups,
    evaluationBatches: () => sketchedBatches(evalRows, args.perDeviceEvalBatchSize),
    passesOf: (batch) => ({ separate: method.passes(batch), alongside: method.alongside?.(base, batch) }),
    recordGroup: (layout, group, onForward) => rehearseGroup(under(layout), group, onForward),
    recordEvaluation: (layout, batch) => void recordMicroBatch(under(layout), batch, undefined),
    recordOptimizer: () => rehearseOptimizer(under(wholeBatches)),
  });
}
