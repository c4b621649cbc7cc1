import { ktoMetrics } from "@kto/losses/plain";
import { numScoredTokens } from "../data/rows.js";
import type { NamedValues } from "../loop/method.js";
import type { KtoRow } from "./prepare-kto-dataset.js";

/**
 * What trl logs of one micro-batch.
 *
 * @param values  `rewards`, `logProbs`, `entropy`, `meanLogit`, one number a row; `kl`, one number, absent where the loss has no KL estimate
 */
export function ktoMicroBatchMetrics(
  { rewards, logProbs, entropy, meanLogit, kl }: NamedValues,
  rows: readonly KtoRow[],
): Record<string, number> {
  const labels = rows.map(({ label }) => label);
  const metrics: Record<string, number> = {
    ...ktoMetrics({ policyLogProbs: logProbs!, rewards: rewards!, desirable: labels, kl: kl?.[0] ?? 0 }),
  };
  const sumOver = (chosen: boolean | undefined, value: (row: number) => number): number =>
    labels.reduce((total, label, row) => (chosen === undefined || label === chosen ? total + value(row) : total), 0);
  const numScored = (row: number): number => numScoredTokens(rows[row]!);
  metrics["entropy"] = sumOver(undefined, (row) => entropy![row]!) / sumOver(undefined, numScored);
  for (const [name, isChosen] of [
    ["chosen", true],
    ["rejected", false],
  ] as const)
    if (labels.includes(isChosen)) metrics[`logits/${name}`] = sumOver(isChosen, (row) => meanLogit![row]!) / sumOver(isChosen, numScored);
  return metrics;
}
