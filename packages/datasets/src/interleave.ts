import { ArgumentError, excerpt } from "@kto/core";
import { Dataset } from "./dataset.js";
import { Pcg64 } from "./pcg64.js";

/** Options of {@link interleaveDatasets}. */
export interface InterleaveOptions {
  /** How likely each part is to give the next row; they add up to 1. Any weights do: they are divided by their sum. */
  probabilities: readonly number[];
  /** What each part is called in messages; see `Dataset.concatenate`. */
  names?: readonly string[];
  /** Seed of the draws; default 42. */
  seed?: number;
  /**
   * When it ends: `first_exhausted` (default) once a part has given its last row, so that no row comes twice; `all_exhausted` once every part has, while those
   * that are through begin again.
   */
  stoppingStrategy?: "first_exhausted" | "all_exhausted";
}

/** More rows than a list of them can have; parts of very small probability are drawn from seldom. */
const MAX_ROWS = 2 ** 32 - 1;

/**
 * The rows of several datasets mixed: each row is the next one of a part that is drawn at random. The order is that of `interleave_datasets(datasets,
 * probabilities, seed)` of Python's datasets: part = the first whose cumulated probability exceeds `numpy.random.default_rng(seed).random()`. A view that
 * copies no row. Throws `ArgumentError` for probabilities that are none.
 */
export function interleaveDatasets<Row extends object>(
  parts: readonly Dataset<Row>[],
  { probabilities, names, seed = 42, stoppingStrategy = "first_exhausted" }: InterleaveOptions,
): Dataset<Row> {
  const isUsable = (value: number): boolean => Number.isFinite(value) && value > 0;
  if (parts.length === 0 || probabilities.length !== parts.length || !probabilities.every(isUsable)) {
    throw new ArgumentError(
      `interleaveDatasets: the probabilities do not fit the parts; expected ${parts.length} numbers above 0, one for each part, got ${excerpt(probabilities)}; weights do too`,
    );
  }
  if (parts.some(({ length }) => length === 0))
    throw new ArgumentError("interleaveDatasets: a part has no rows; expected at least 1 in each, got 0; leave it out");
  const whole = Dataset.concatenate(parts, { names });
  const order = drawnOrder(
    parts.map(({ length }) => length),
    cumulated(probabilities),
    { generator: new Pcg64(seed), waitsForAll: stoppingStrategy === "all_exhausted" },
  );
  return whole.select(order);
}

/** Sums of the first so many shares, the last being 1; in numpy's order, so that the same numbers come out. */
function cumulated(weights: readonly number[]): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const sums = Float64Array.from(weights, (weight) => (sum += weight / total));
  return sums.map((value) => value / sum);
}

/** Indices into the parts one after the other. */
function drawnOrder(
  lengths: readonly number[],
  bounds: Float64Array,
  { generator, waitsForAll }: { generator: Pcg64; waitsForAll: boolean },
): Uint32Array {
  const offsets = lengths.map((_, part) => lengths.slice(0, part).reduce((sum, length) => sum + length, 0));
  const next = lengths.map(() => 0);
  const isThrough = lengths.map(() => false);
  let order = new Uint32Array(1024);
  let count = 0;
  while (waitsForAll ? isThrough.includes(false) : !isThrough.includes(true)) {
    const draw = generator.nextDouble();
    let part = 0;
    while (bounds[part]! <= draw) part++;
    if (count === MAX_ROWS)
      throw new ArgumentError("interleaveDatasets: the mixture has no end; expected fewer than 2³² rows; raise the smallest weights");
    if (count === order.length) {
      const larger = new Uint32Array(Math.min(MAX_ROWS, 2 * count));
      larger.set(order);
      order = larger;
    }
    order[count++] = offsets[part]! + next[part]!;
    next[part]!++;
    if (next[part] === lengths[part]) {
      isThrough[part] = true;
      next[part] = 0;
    }
  }
  return order.slice(0, count);
}
