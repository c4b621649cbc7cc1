import { MersenneTwister } from "@kto/datasets";

/** How an interval is found. */
export interface BootstrapOptions {
  /** Samples that are drawn; default 1,000. */
  resamples?: number | undefined;
  /** Of the generator that draws them; default 42. Equal seeds give equal intervals. */
  seed?: number | undefined;
  /** Share of the resamples that lies within; default 0.95. */
  confidence?: number | undefined;
}

/** An estimate and where it would lie with other rows of the same kind. */
export interface Interval {
  estimate: number;
  low: number;
  high: number;
}

/**
 * A bootstrap interval by percentiles: as many rows as there are are drawn with replacement, again and again, from each sample by itself; the bounds are the
 * quantiles of the statistic over these draws, (1 − confidence) / 2 and 1 minus that, between two of them by linear interpolation.
 *
 * @param samples    independent ones, none of them empty: rows of one class, of another
 * @param statistic  of samples of these sizes; it may not keep them
 * @see Efron and Tibshirani, An Introduction to the Bootstrap, section 13.3
 */
export function bootstrapInterval(
  samples: readonly ArrayLike<number>[],
  statistic: (samples: readonly ArrayLike<number>[]) => number,
  { resamples = 1000, seed = 42, confidence = 0.95 }: BootstrapOptions = {},
): Interval {
  const random = new MersenneTwister(seed);
  const drawn = samples.map(({ length }) => new Float64Array(length));
  const values = Float64Array.from({ length: resamples }, () => {
    for (const [index, sample] of samples.entries()) {
      const into = drawn[index]!;
      for (let row = 0; row < into.length; row++) into[row] = sample[Math.floor((random.nextUint32() / 2 ** 32) * into.length)]!;
    }
    return statistic(drawn);
  }).sort();
  const tail = (1 - confidence) / 2;
  return { estimate: statistic(samples), low: quantile(values, tail), high: quantile(values, 1 - tail) };
}

/** The mean of some numbers with its interval. */
export function bootstrapMean(values: ArrayLike<number>, options: BootstrapOptions = {}): Interval {
  return bootstrapInterval([values], ([sample]) => mean(sample!), options);
}

/** NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

/** The value below which the share `at` of sorted numbers lies; between two of them by linear interpolation. */
export function quantile(sorted: ArrayLike<number>, at: number): number {
  const place = at * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return below + (above - below) * (place - Math.floor(place));
}
