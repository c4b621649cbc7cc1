/** trl's metrics of one micro-batch. A class without rows has no entry; margins need both classes. */
export interface KtoMetrics {
  "rewards/chosen"?: number;
  "rewards/rejected"?: number;
  "rewards/margins"?: number;
  "logps/chosen"?: number;
  "logps/rejected"?: number;
  kl: number;
}

/** One micro-batch: [B] policy log-probabilities, rewards and classes, and its KL. */
export interface KtoMetricInputs {
  policyLogProbs: ArrayLike<number>;
  rewards: ArrayLike<number>;
  desirable: readonly boolean[];
  kl: number;
}

/**
 * Class means of one micro-batch under trl's names.
 *
 *   rewards/chosen = Σ rewards of desirable rows / their number,  logps/chosen likewise;  rejected: undesirable rows
 *   rewards/margins = rewards/chosen − rewards/rejected
 *
 * A NaN is left out of the sum but counted, as in trl.
 *
 * @see trl 1.16, KTOTrainer
 */
export function ktoMetrics({ policyLogProbs, rewards, desirable, kl }: KtoMetricInputs): KtoMetrics {
  const metrics: KtoMetrics = { kl };
  for (const [name, isChosen] of [
    ["chosen", true],
    ["rejected", false],
  ] as const) {
    const numRows = desirable.filter((row) => row === isChosen).length;
    if (numRows === 0) continue;
    const classMean = (values: ArrayLike<number>): number => {
      let sum = 0;
      for (let row = 0; row < desirable.length; row++) if (desirable[row] === isChosen && !Number.isNaN(values[row]!)) sum += values[row]!;
      return sum / numRows;
    };
    metrics[`rewards/${name}`] = classMean(rewards);
    metrics[`logps/${name}`] = classMean(policyLogProbs);
  }
  if (metrics["rewards/chosen"] !== undefined && metrics["rewards/rejected"] !== undefined)
    metrics["rewards/margins"] = metrics["rewards/chosen"] - metrics["rewards/rejected"];
  return metrics;
}

/**
 * What trl logs over a window of micro-batches: for each metric the plain mean over the micro-batches that have it.
 *
 * @see trl 1.16, KTOTrainer.log
 */
export function averageMetrics(window: readonly (KtoMetrics | Readonly<Record<string, number>>)[]): Record<string, number> {
  const sums = new Map<string, { sum: number; count: number }>();
  for (const metrics of window)
    for (const [name, value] of Object.entries(metrics) as [string, number | undefined][]) {
      if (value === undefined) continue;
      const entry = sums.get(name) ?? { sum: 0, count: 0 };
      sums.set(name, { sum: entry.sum + value, count: entry.count + 1 });
    }
  return Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count]));
}
