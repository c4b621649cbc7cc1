import { averageMetrics } from "@kto/losses/plain";
import type { RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import type { AnswerScore } from "../evaluation/answer-score.js";
import { readMicroBatches, recordMicroBatchTogether, type MicroBatchContext } from "./micro-batch.js";
import type { LogRecord } from "./trainer-state.js";

/** Options of `evaluateRows`. */
export interface EvaluateOptions {
  batchSize: number;
  signal?: AbortSignal | undefined;
  onProgress?(done: number): void;
  /** Is given what is known of each answer of a batch, where the method scores whole answers. */
  onScores?: ((scores: readonly AnswerScore[]) => void) | undefined;
}

/**
 * The training loss and its metrics without gradients, as trl evaluates: `eval_loss` is the mean over rows of the loss of the batch each row was in,
 * other metrics are plain means over batches. Several ranks take turns.
 */
export async function evaluateRows<Row extends SourceRow>(
  run: MicroBatchContext<Row>,
  rows: RowSequence<Row>,
  { batchSize, signal, onProgress, onScores }: EvaluateOptions,
): Promise<LogRecord> {
  const { rank, size } = run.collective;
  const numBatches = Math.ceil(rows.length / batchSize);
  const batchAt = (index: number): readonly Row[] => rows.slice(index * batchSize, (index + 1) * batchSize);
  const started = performance.now();
  const window: Record<string, number>[] = [];
  let [lossSum, numDone] = [0, 0];
  for (let first = 0; first < numBatches; first += size) {
    signal?.throwIfAborted();
    const rowsByRank = Array.from({ length: size }, (_, other) => batchAt((first + other) % numBatches)); // the last turn may repeat the first rows
    const tensors = await recordMicroBatchTogether(run, rowsByRank[rank]!, undefined);
    const [batch] = await readMicroBatches(run, [{ rowsByRank, tensors }]);
    if (onScores) onScores(run.method.scores?.(batch!.values, rowsByRank.flat().slice(0, rows.length - numDone)) ?? []);
    lossSum += batch!.loss * batch!.numRows;
    numDone += batch!.numRows;
    window.push(batch!.metrics);
    onProgress?.(Math.min(numDone, rows.length));
  }
  const seconds = (performance.now() - started) / 1000;
  return {
    eval_loss: lossSum / numDone,
    ...Object.fromEntries(Object.entries(averageMetrics(window)).map(([name, value]) => [`eval_${name}`, value])),
    eval_runtime: round(seconds, 4),
    eval_samples_per_second: round(rows.length / seconds, 3),
    eval_steps_per_second: round(window.length / seconds, 3),
  };
}

/** A number with this many decimals, as transformers reports speeds. */
export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
