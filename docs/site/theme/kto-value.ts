import { ktoLossPlain } from "@kto/losses/plain";

/** What the plot is drawn for. */
export interface ValueSettings {
  beta: number;
  /** The estimate of the KL divergence, in nats. */
  kl: number;
  weight: number;
  isDesirable: boolean;
}

/** A point of the curves: the loss of a row, and how hard it pulls, at a log-ratio in nats. */
export interface ValuePoint {
  logRatio: number;
  loss: number;
  pull: number;
}

/** Log-ratios that the plot shows, in nats. */
export const logRatioRange = { least: -40, most: 40 } as const;

/** Loss and gradient of one row at a log-ratio, by the library's own function. */
export function valueAt({ beta, kl, weight, isDesirable }: ValueSettings, logRatio: number): ValuePoint {
  const { loss, gradient } = ktoLossPlain({
    policyLogProbs: [logRatio],
    refLogProbs: [0],
    policyKlLogProbs: [kl],
    refKlLogProbs: [0],
    labels: [isDesirable],
    beta,
    desirableWeight: weight,
    undesirableWeight: weight,
  });
  return { logRatio, loss, pull: Math.abs(gradient[0]!) };
}

/** Points over the whole range. */
export function valueCurve(settings: ValueSettings, numPoints = 161): ValuePoint[] {
  const { least, most } = logRatioRange;
  return Array.from({ length: numPoints }, (_, i) => valueAt(settings, least + ((most - least) * i) / (numPoints - 1)));
}
