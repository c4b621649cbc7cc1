import type { KtoRow } from "./data/index.js";
import { averageOf, readMicroBatches } from "./kto-metrics.js";
import { ktoMicroBatch, type KtoContext } from "./kto-micro-batch.js";
import type { LogRecord } from "./trainer-state.js";

/** Options of `evaluateRows`. */
export interface EvaluateOptions {
  signal?: AbortSignal;
  onProgress?(done: number): void;
}

/**
 * The training loss and its metrics without gradients, as trl evaluates: `eval_loss` is the mean over rows of the loss of the batch each row was in,
 * other metrics are plain means over batches.
 */
export async function evaluateRows(
  context: KtoContext,
  rows: readonly KtoRow[],
  { signal, onProgress }: EvaluateOptions = {},
): Promise<LogRecord> {
  const { device } = context.model;
  const { perDeviceEvalBatchSize: batchSize } = context.args;
  const started = performance.now();
  const window: Record<string, number>[] = [];
  let lossSum = 0;
  for (let start = 0; start < rows.length; start += batchSize) {
    signal?.throwIfAborted();
    const result = ktoMicroBatch(context, rows.slice(start, start + batchSize));
    const [batch] = await readMicroBatches(device, [result]);
    lossSum += batch!.loss * batch!.numRows;
    window.push(batch!.metrics);
    onProgress?.(start + batch!.numRows);
  }
  const seconds = (performance.now() - started) / 1000;
  const metrics = averageOf(window);
  return {
    eval_loss: lossSum / rows.length,
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value])),
    eval_runtime: round(seconds, 4),
    eval_samples_per_second: round(rows.length / seconds, 3),
    eval_steps_per_second: round(window.length / seconds, 3),
  };
}

/** A number with this many decimals, as transformers reports speeds. */
export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
