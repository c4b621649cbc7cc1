import type { Schedule } from "@kto/optim";
import type { SourceRow } from "../data/rows.js";
import type { TrainerEvent, TrainLog } from "./events.js";
import { countTokens, disposeAll, readMicroBatches } from "./micro-batch.js";
import { expectFiniteLoss } from "./non-finite.js";
import { dueAfter, epochAfter } from "./run-plan.js";
import type { RowOrder } from "./row-order.js";
import { takeLog } from "./take-log.js";
import type { RunProgress } from "./trainer-state.js";
import { recordUpdate, type PendingUpdate, type UpdateContext } from "./update.js";

/** What the loop goes through. */
export interface TrainLoop<Row extends SourceRow> extends UpdateContext<Row> {
  schedule: Schedule;
  order: RowOrder<Row>;
  /** Goes on from where it stands, and is kept up to date. */
  progress: RunProgress;
  signal: AbortSignal | undefined;
  emit(event: TrainerEvent): void;
  /** Evaluates, and keeps the record. */
  evaluate(): Promise<void>;
  /** Writes a checkpoint; undefined where there is no place for one. */
  save: (() => Promise<void>) | undefined;
}

/**
 * Update after update: record, wait, and at a log, an evaluation, a checkpoint or the end read what was left on the device. Gives a log at every logging
 * step. When the signal is aborted it finishes the update in flight, writes a checkpoint and throws the signal's reason.
 */
export async function* trainLoop<Row extends SourceRow>(run: TrainLoop<Row>): AsyncGenerator<TrainLog, void, undefined> {
  const { args, counts, schedule, progress, signal, emit, save } = run;
  const { device } = run.context.model;
  const { base } = run.context.model;
  const started = performance.now();
  const startStep = progress.globalStep;
  const startTokens = progress.numTokens;
  let windowStarted = started;
  let windowTokens = progress.numTokens;
  let pending: PendingUpdate<Row>[] = [];
  try {
    for (let step = startStep + 1; step <= counts.totalUpdates; step++) {
      const learningRate = schedule.rate(step - 1);
      const rows = run.order(Math.floor((step - 1) / counts.updatesPerEpoch));
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
      if (due.evaluate) {
        await run.evaluate().catch((error: unknown) => {
          if (!signal?.aborted) throw error; // an interrupted evaluation is left out, and the checkpoint written
        });
      }
      if (save && (isSaveDue || (signal?.aborted && !isLast))) await save();
      if (due.log || due.evaluate || isSaveDue) {
        windowStarted = performance.now();
        windowTokens = progress.numTokens;
      }
      if (!isLast) signal?.throwIfAborted();
    }
  } finally {
    for (const { microBatches, gradNorm } of pending) {
      disposeAll(microBatches);
      gradNorm.dispose();
    }
  }
}

/** Reads what updates left on the device into the logging window; throws NonFiniteLossError. */
async function collect<Row extends SourceRow>(run: TrainLoop<Row>, pending: readonly PendingUpdate<Row>[]): Promise<void> {
  const { window } = run.progress;
  for (const { step, learningRate, microBatches, gradNorm } of pending) {
    const read = await readMicroBatches(run, microBatches);
    window.gradNorm = await gradNorm.item();
    gradNorm.dispose();
    const loss = read.reduce((total, batch) => total + batch.loss, 0) / read.length;
    const rows = microBatches.flatMap(({ rowsByRank }) => rowsByRank.flat().map(({ sourceIndex }) => sourceIndex));
    expectFiniteLoss(loss, { step, rows, learningRate });
    expectFiniteLoss(window.gradNorm, { step, rows, learningRate });
    window.losses.push(loss);
    window.metrics.push(...read.map(({ metrics }) => metrics));
    run.progress.totalLoss += loss;
  }
}
