import { averageMetrics, ktoMetrics } from "@kto/losses/plain";
import type { Device, Tensor } from "@kto/tensor";
import type { KtoMicroBatchResult } from "./kto-micro-batch.js";

/** What trl logs of one micro-batch, on the host. */
export interface MicroBatchMetrics {
  loss: number;
  numRows: number;
  /** Under trl's names. */
  metrics: Record<string, number>;
}

/** Reads the results of some micro-batches with one wait and frees them. */
export async function readMicroBatches(device: Device, results: readonly KtoMicroBatchResult[]): Promise<MicroBatchMetrics[]> {
  const perResult = results.map(({ loss, rewards, logProbs, entropy, meanLogit, kl }) => [
    loss,
    rewards,
    logProbs,
    entropy,
    meanLogit,
    ...(kl ? [kl] : []),
  ]);
  const values = await device.readAll(perResult.flat());
  let next = 0;
  const read = perResult.map((tensors) => values.slice(next, (next += tensors.length)));
  for (const tensor of perResult.flat()) tensor.dispose();
  return results.map((result, index) => toMetrics(result, read[index]!));
}

/** Means over micro-batches, each metric over those that have it. */
export function averageOf(window: readonly Record<string, number>[]): Record<string, number> {
  return averageMetrics(window) as Record<string, number>;
}

/** Tensors of a result, to free it unread. */
export function tensorsOf({ loss, rewards, logProbs, entropy, meanLogit, kl }: KtoMicroBatchResult): Tensor[] {
  return [loss, rewards, logProbs, entropy, meanLogit, ...(kl ? [kl] : [])];
}

function toMetrics(
  { labels, numScored }: KtoMicroBatchResult,
  [loss, rewards, logProbs, entropy, meanLogit, kl]: Float32Array[],
): MicroBatchMetrics {
  const metrics: Record<string, number> = {
    ...ktoMetrics({ policyLogProbs: logProbs!, rewards: rewards!, desirable: labels, kl: kl ? kl[0]! : 0 }),
  };
  const scored = numScored.reduce((total, count) => total + count, 0);
  metrics.entropy = sumOf(entropy!, () => true) / scored;
  for (const [name, isChosen] of [
    ["chosen", true],
    ["rejected", false],
  ] as const) {
    const tokens = numScored.reduce((total, count, row) => total + (labels[row] === isChosen ? count : 0), 0);
    if (labels.includes(isChosen)) metrics[`logits/${name}`] = sumOf(meanLogit!, (row) => labels[row] === isChosen) / tokens;
  }
  return { loss: loss![0]!, numRows: labels.length, metrics };
}

function sumOf(values: Float32Array, includes: (row: number) => boolean): number {
  return values.reduce((total, value, row) => (includes(row) ? total + value : total), 0);
}
