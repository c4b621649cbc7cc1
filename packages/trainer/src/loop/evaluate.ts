import { averageMetrics } from "@kto/losses/plain";
import type { RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import type { AnswerScore } from "../evaluation/answer-score.js";
import type { Agreement } from "./agreement.js";
import { gatherNamed } from "./gather-named.js";
import { metricsOf, readResults, recordMicroBatch, type MicroBatchContext } from "./micro-batch.js";
import type { LogRecord } from "./trainer-state.js";

/** Options of `evaluateRows`. */
export interface EvaluateOptions {
  batchSize: number;
  agreement: Agreement;
  onProgress?(done: number): void;
  /** Is given what is known of each answer of a batch, where the method scores whole answers. */
  onScores?: ((scores: readonly AnswerScore[]) => void) | undefined;
}

/**
 * The training loss and its metrics without gradients, as trl evaluates: `eval_loss` is the mean over rows of the loss of the batch each row was in,
 * other metrics are plain means over batches. Several ranks take turns, each batch by itself: the numbers are those of one rank.
 */
export async function evaluateRows<Row extends SourceRow>(
  { method, context, collective }: MicroBatchContext<Row>,
  rows: RowSequence<Row>,
  { batchSize, agreement, onProgress, onScores }: EvaluateOptions,
): Promise<LogRecord> {
  const { rank, size } = collective;
  const { signal } = agreement;
  const numBatches = Math.ceil(rows.length / batchSize);
  const batchAt = (index: number): readonly Row[] => rows.slice(index * batchSize, (index + 1) * batchSize);
  const started = performance.now();
  const window: Record<string, number>[] = [];
  let [lossSum, numDone] = [0, 0];
  for (let first = 0; first < numBatches; first += size) {
    await agreement.any([]);
    signal?.throwIfAborted();
    const numInTurn = Math.min(size, numBatches - first);
    const own = batchAt(first + (rank < numInTurn ? rank : 0)); // who has none left does the first of the turn, which does not count
    const results = await readResults(context.model.device, [recordMicroBatch({ method, context }, own, undefined)]);
    const ofRanks = await gatherNamed(collective, results);
    for (let other = 0; other < numInTurn; other++) {
      const batch = batchAt(first + other);
      const { loss, metrics, values } = metricsOf(method, [batch], ofRanks[other]!);
      if (onScores) onScores(method.scores?.(values, batch) ?? []);
      lossSum += loss * batch.length;
      numDone += batch.length;
      window.push(metrics);
    }
    onProgress?.(numDone);
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
