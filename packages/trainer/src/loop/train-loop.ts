import type { Schedule } from "@kto/optim";
import type { SourceRow } from "../data/rows.js";
import type { Agreement } from "./agreement.js";
import { isStoppedEarly, type EvaluationOutcome } from "./best-model.js";
import { TrainerUsageError } from "./errors.js";
import type { TrainerEvent, TrainLog } from "./events.js";
import { countTokens, disposeAll, readMicroBatches, weightedMean } from "./micro-batch.js";
import { expectFiniteLoss } from "./non-finite.js";
import { dueAfter, epochAfter } from "./run-plan.js";
import { offloadEmbedding } from "./offload-embedding.js";
import type { RowOrder } from "./row-order.js";
import { takeLog } from "./take-log.js";
import type { RunProgress } from "./trainer-state.js";
import { TrainingControl, type ControlledRun } from "./training-control.js";
import { recordUpdate, type PendingUpdate, type UpdateContext } from "./update.js";

/** What the loop goes through. */
export interface TrainLoop<Row extends SourceRow> extends UpdateContext<Row> {
  schedule: Schedule;
  order: RowOrder<Row>;
  /** Goes on from where it stands, and is kept up to date. */
  progress: RunProgress;
  /** Says when the run is to end, on all ranks at once. */
  agreement: Agreement;
  control: TrainingControl | undefined;
  emit(event: TrainerEvent): void;
  /** Evaluates, keeps the record, and says what it means for the run. */
  evaluate(): Promise<EvaluationOutcome>;
  /** Writes a checkpoint, one that is due or one of an interrupted run, and gives its path; undefined where there is no place for one. */
  save: ((isDue: boolean) => Promise<string>) | undefined;
}

/**
 * Update after update: record, wait, and at a log, an evaluation, a checkpoint or the end read what was left on the device. Gives a log at every logging
 * step. When the signal is aborted it finishes the update in flight, writes a checkpoint and throws the signal's reason; an evaluation that is left out
 * for it is the first thing of the run that goes on. Ends early after an evaluation that says so. What the control asks for is done between updates.
 */
export async function* trainLoop<Row extends SourceRow>(given: TrainLoop<Row>): AsyncGenerator<TrainLog, void, undefined> {
  const saves = new Saves(given);
  const run = { ...given, save: given.save && ((isDue: boolean) => saves.write(isDue)) };
  const { args, counts, schedule, progress, agreement, emit, save } = run;
  const { device, base } = run.context.model;
  const { signal } = agreement;
  const control = run.control ?? (run.collective.size > 1 ? new TrainingControl() : undefined); // does what those of other ranks ask for
  let started = performance.now();
  const startStep = progress.globalStep;
  if (progress.owesEvaluation) await evaluateAndSave(run, dueAfter(startStep, counts, args).save);
  if (progress.owesEvaluation) signal?.throwIfAborted();
  if (isStoppedEarly(progress.best, args)) return;
  const startTokens = progress.numTokens;
  let windowStarted = started;
  let windowTokens = progress.numTokens;
  let pending: PendingUpdate<Row>[] = [];
  const attend = async (mayPause: boolean, write: ControlledRun["save"]): Promise<void> => {
    const tookMs =
      (await control?.attend({
        step: progress.globalStep,
        mayPause,
        save: write,
        signal,
        ownSignal: agreement.own,
        any: (claims) => agreement.any(claims),
        emit,
      })) ?? 0;
    started += tookMs;
    windowStarted += tookMs;
  };
  try {
    await attend(true, undefined);
    if (control) signal?.throwIfAborted();
    for (let step = startStep + 1; step <= counts.totalUpdates; step++) {
      const learningRate = schedule.rate(step - 1);
      const rows = run.order(Math.floor((step - 1) / counts.updatesPerEpoch));
      await offloadEmbedding(run); // what is told of a run may have generated
      const update = await recordUpdate(run, rows, { step, learningRate, emit });
      pending.push(update);
      await device.sync();
      progress.globalStep = step;
      for (const { rowsByRank } of update.microBatches) {
        const { numTokens, numPaddedTokens } = countTokens(run.method, rowsByRank);
        progress.numTokens += numTokens;
        progress.totalFlos += 6 * numPaddedTokens * base.numNonEmbeddingParameters;
      }
      emit({
        type: "update",
        step,
        startStep,
        totalUpdates: counts.totalUpdates,
        numTokens: progress.numTokens - startTokens,
        elapsedMs: performance.now() - started,
        gpuMemoryBytes: device.memory.info().allocatedBytes,
      });

      const isLast = step === counts.totalUpdates;
      const due = dueAfter(step, counts, args);
      const isSaveDue = due.save && save !== undefined;
      if (due.log || isSaveDue || due.evaluate || isLast || signal?.aborted) {
        await collect(run, pending);
        pending = [];
      }
      if (due.log) {
        const now = performance.now();
        const seconds = (now - windowStarted) / 1000;
        const updates = progress.window.losses.length;
        const log = takeLog(progress, {
          learningRate,
          epoch: epochAfter(step, counts, args),
          stepTimeMs: (now - windowStarted) / updates,
          tokensPerSecond: (progress.numTokens - windowTokens) / seconds,
          samplesPerSecond: (updates * counts.rowsPerUpdate) / seconds,
          gpuMemoryBytes: device.memory.info().allocatedBytes,
        });
        emit({ type: "log", log });
        yield log;
      }
      const { stops } = due.evaluate ? await evaluateAndSave(run, due.save) : { stops: false };
      if (!due.evaluate && save && due.save) await save(true);
      if (due.log || due.evaluate || isSaveDue) {
        windowStarted = performance.now();
        windowTokens = progress.numTokens;
      }
      const writeNow = async (): Promise<string> => {
        await collect(run, pending);
        pending = [];
        return saves.write(false);
      };
      await attend(!isLast && !stops, writeNow);
      if (stops) return;
      if (save && signal?.aborted && !isLast) await writeNow();
      if (!isLast || progress.owesEvaluation) signal?.throwIfAborted();
    }
  } finally {
    for (const { microBatches, gradNorm } of pending) {
      disposeAll(microBatches);
      gradNorm.dispose();
    }
  }
}

/** Checkpoints of a run, of each update one. */
class Saves {
  readonly #run: Pick<TrainLoop<SourceRow>, "save" | "progress">;
  #last: { step: number; path: string } | undefined;

  constructor(run: Pick<TrainLoop<SourceRow>, "save" | "progress">) {
    this.#run = run;
  }

  /** Writes that of the update that was done last, unless it is there, and gives its path. */
  async write(isDue: boolean): Promise<string> {
    const { save, progress } = this.#run;
    if (!save)
      throw new TrainerUsageError("save: there is no place for checkpoints; expected an output, got none; give the trainer an output");
    const { globalStep: step } = progress;
    if (this.#last?.step !== step) this.#last = { step, path: await save(isDue) };
    return this.#last.path;
  }
}

/**
 * Evaluates and then writes a checkpoint, if one is due: by the strategy, for a new best, or because the run ends here. Of an evaluation that was interrupted
 * the checkpoint holds that it is owed.
 */
async function evaluateAndSave<Row extends SourceRow>(run: TrainLoop<Row>, isSaveDue: boolean): Promise<EvaluationOutcome> {
  const { args, progress, save, counts } = run;
  const { signal } = run.agreement;
  progress.owesEvaluation = false;
  const outcome = await run.evaluate().catch((error: unknown): EvaluationOutcome => {
    if (!signal?.aborted) throw error;
    progress.owesEvaluation = true;
    return { isNewBest: false, stops: false };
  });
  const isEnd = progress.globalStep === counts.totalUpdates;
  const isDue = isSaveDue || (args.saveStrategy === "best" && outcome.isNewBest) || (args.saveStrategy === "steps" && outcome.stops);
  if (save && (isDue || progress.owesEvaluation || (signal?.aborted && !isEnd))) await save(isDue);
  return outcome;
}

/** Reads what updates left on the device into the logging window, with two waits; throws NonFiniteLossError. */
async function collect<Row extends SourceRow>(run: TrainLoop<Row>, pending: readonly PendingUpdate<Row>[]): Promise<void> {
  const { window } = run.progress;
  const norms = await run.context.model.device.readAll(pending.map(({ gradNorm }) => gradNorm));
  const all = await readMicroBatches(
    run,
    pending.flatMap(({ microBatches }) => microBatches),
  );
  for (const [index, { step, learningRate, microBatches, gradNorm }] of pending.entries()) {
    const read = all.splice(0, microBatches.length);
    window.gradNorm = norms[index]![0]!;
    gradNorm.dispose();
    const loss = weightedMean(
      read.map((batch) => batch.loss),
      read.map((batch) => batch.weight),
    );
    const rows = microBatches.flatMap(({ rowsByRank }) =>
      rowsByRank.flat().flatMap(({ sourceIndex, packedFrom }) => packedFrom ?? [sourceIndex]),
    );
    expectFiniteLoss(loss, { step, rows, learningRate });
    expectFiniteLoss(window.gradNorm, { step, rows, learningRate });
    window.losses.push(loss);
    window.metrics.push(...read.map(({ metrics }) => metrics));
    run.progress.totalLoss += loss;
  }
}
