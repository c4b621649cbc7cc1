import type { Optimizer } from "@kto/optim";
import type { RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import type { MakeReference, Reference } from "../scoring/reference.js";
import { scoreTokens } from "../scoring/score-tokens.js";
import { onFirstRank, type Agreement } from "./agreement.js";
import { withBelongings } from "./belongings.js";
import { followedMetric, isStoppedEarly, resumedBest } from "./best-model.js";
import { listCheckpoints } from "./checkpoint-names.js";
import type { TrainLog, TrainOutput } from "./events.js";
import { followEvaluation } from "./follow-evaluation.js";
import type { MethodContext } from "./method.js";
import { offloadEmbedding } from "./offload-embedding.js";
import type { PlannedRun } from "./planned-run.js";
import { rowOrder } from "./row-order.js";
import { openRunParts, precomputing, runSchedule, updatesWith, useOfReference, type RunSetting } from "./run-parts.js";
import { endWithBest, saveCheckpoint, type CheckpointedRun } from "./save-checkpoint.js";
import { logMetrics, Trackers, type TrackedRun } from "./tracker.js";
import { trainLoop } from "./train-loop.js";
import { trainOutput } from "./train-output.js";
import type { RunOptions } from "./trainer-options.js";
import type { LogRecord } from "./trainer-state.js";

/** What a run is gone through with. */
export interface RunToTrain<Row> extends Pick<RunOptions, "control"> {
  agreement: Agreement;
  rows: RowSequence<Row>;
  references: MakeReference;
  /** Evaluates and keeps the record. */
  evaluate(context: MethodContext): Promise<LogRecord>;
  /** The text of `trainer_state.json`. */
  state(): string;
}

/**
 * Goes through a planned run: takes the output over, goes on from the checkpoint, tells trackers, and leaves the model as the run is to end. Gives its logs, and what
 * it came to. Throws as `Trainer.train`; whatever ends it, nothing that it opened is left.
 */
export async function* trainPlanned<Row extends SourceRow>(
  run: PlannedRun,
  setting: RunSetting<Row>,
  { rows, references, evaluate, state, agreement, control }: RunToTrain<Row>,
): AsyncGenerator<TrainLog, TrainOutput, undefined> {
  const { method, args, policy, collective, progress, emit } = setting;
  const { device } = policy;
  const { signal } = agreement;
  using parts = await openRunParts(setting, references);
  const isFirst = collective.rank === 0; // the others write nothing
  const output = isFirst ? setting.output : undefined;
  const trackers = new Trackers(isFirst ? setting.trackers : []);
  await onFirstRank(collective, "begin the run", async () => output?.begin?.({ startStep: run.checkpoint && run.startStep }));
  try {
    policy.noteChange();
    device.memory.limitBytes = Math.min(run.memory.peakBytes, run.memory.budgetBytes ?? Infinity);
    device.memory.resetPeak();
    await device.recorder.warmUp();
    await trackers.start(trackedRun(run, setting, { kept: parts.reference, signal }));
    await offloadEmbedding(setting); // trackers may have generated
    const started = performance.now();
    const context = { model: policy, reference: parts.reference, layout: run.memory };
    const precomputed = await method.precompute?.(context, rows, precomputing(setting, rows, agreement.signal));
    if (precomputed) await device.memory.trim(); // buffers of other sizes, which the plan does not count with
    await goOn(run, setting, parts.optimizer); // after the rows are scored by the policy as it was found
    const schedule = runSchedule(args, run.counts);
    const checkpointed = checkpointedRun(setting, parts.optimizer);
    for (const metric of progress.scheduleMetrics) schedule.observe?.(metric);
    const logs = trainLoop({
      ...updatesWith(setting, run.counts),
      ...parts,
      context,
      schedule,
      order: rowOrder(precomputed ?? rows, method.shuffleSeed),
      progress,
      agreement,
      control,
      emit,
      evaluate: async () => {
        const { step, ...metrics } = await evaluate(context);
        await trackers.log(step!, metrics);
        return followEvaluation(metrics, { args, progress, collective, schedule });
      },
      save: checkpointed && ((isDue) => saveCheckpoint(checkpointed, state, isDue)),
    });
    for await (const log of logs) {
      await trackers.log(log.step, logMetrics(log));
      yield log;
    }
    if (!run.isFinished && isStoppedEarly(progress.best, args))
      emit({ type: "earlyStop", step: progress.globalStep, evaluations: progress.best.patienceCounter });
    const result = trainOutput(run, {
      progress,
      args,
      elapsedMs: performance.now() - started - (control?.pausedMs ?? 0),
      peakBytes: device.memory.info().peakBytes,
    });
    await leaveBest(setting, checkpointed);
    await trackers.end(result);
    return { ...result, peakGpuMemoryBytes: device.memory.info().peakBytes }; // what trackers did counts
  } finally {
    await trackers.end().catch(() => undefined); // those that are left: what ended the run is thrown
    device.memory.limitBytes = Infinity;
    await output?.end?.();
  }
}

/** A run as trackers are told of it. Of a whole model that changes there is a reference only where a copy of it is kept. */
function trackedRun<Row extends SourceRow>(
  { counts, memory, startStep }: PlannedRun,
  setting: RunSetting<Row>,
  { kept, signal }: { kept: Reference; signal: AbortSignal | undefined },
): TrackedRun {
  const { method, args, model, policy } = setting;
  const { base, isWholeModel } = policy;
  const reference = isWholeModel && useOfReference(setting) !== "throughout" ? undefined : kept;
  const facts = { method: method.name, args, model, counts, memory, startStep, signal };
  return { ...facts, scoreTokens: (rows) => scoreTokens({ base, reference }, rows) };
}

/** Puts policy, optimizer and progress where the checkpoint of a run has them, if it goes on from one. */
async function goOn<Row extends SourceRow>(
  { checkpoint }: PlannedRun,
  { args, progress, output }: RunSetting<Row>,
  optimizer: Optimizer,
): Promise<void> {
  if (!checkpoint) return;
  checkpoint.restore(optimizer);
  const { progress: before, settings } = checkpoint.state;
  const names = output ? await listCheckpoints(output.store) : [];
  Object.assign(progress, structuredClone(before), { best: resumedBest(before.best, { args, settings, names }) });
}

function checkpointedRun<Row extends SourceRow>(setting: RunSetting<Row>, optimizer: Optimizer): CheckpointedRun | undefined {
  const { progress, args, collective, output, emit } = setting;
  const { files: own, isWholeModel } = setting.policy;
  const files = isWholeModel ? withBelongings(own, setting.belongings()) : own;
  return output && { store: output.store, files, optimizer, progress, args, collective, emit };
}

/** Leaves the model with the best weights where that was asked for, and says which those are. */
async function leaveBest<Row extends SourceRow>(
  { args, progress, emit }: RunSetting<Row>,
  run: CheckpointedRun | undefined,
): Promise<void> {
  const { best } = progress;
  const metric = followedMetric(args);
  const isWanted = args.loadBestModelAtEnd;
  const isLoaded = run !== undefined && (await endWithBest(run));
  if (!metric || best.metric === null) return;
  const checkpoint = best.checkpoint === null ? undefined : run?.store.folder(best.checkpoint).name;
  const step = best.globalStep ?? undefined;
  emit({ type: "bestModel", metric: metric.name, value: best.metric, step, checkpoint, isWanted, isLoaded });
}
