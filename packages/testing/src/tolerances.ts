/** The table of docs/style.md, section 9. `f16` means storage in f16 with sums in f32. Loosening a number takes a sentence and a link beside it. */
export interface Tolerance {
  rtol: number;
  atol: number;
}

export type Storage = "f32" | "f16";

const pointwise: Readonly<Record<"elementwise" | "rowReduction", Readonly<Record<Storage, Tolerance>>>> = {
  elementwise: { f32: { rtol: 1e-5, atol: 1e-6 }, f16: { rtol: 1e-3, atol: 1e-4 } },
  rowReduction: { f32: { rtol: 2e-5, atol: 1e-6 }, f16: { rtol: 2e-3, atol: 1e-4 } },
};

/** Largest normalised mean square error of a GEMM, against float64; `f16ToF32` is f16 operands with an f32 result. */
export const gemmTolerance: Readonly<Record<Storage | "f16ToF32", number>> = { f32: 1e-10, f16: 1e-6, f16ToF32: 1e-9 };

/** Largest relative difference of an oracle's vjp and central differences, both float64. */
export const gradientCheckTolerance = 1e-6;

/** A gradient may be off by this many times the tolerance of its forward class. */
export const gradientFactor = 4;

/** Tolerance of a class of ops, forward or (×4) gradient. */
export function toleranceOf(op: keyof typeof pointwise, storage: Storage, direction: "forward" | "gradient" = "forward"): Tolerance {
  const { rtol, atol } = pointwise[op][storage];
  const factor = direction === "gradient" ? gradientFactor : 1;
  return { rtol: rtol * factor, atol: atol * factor };
}

export interface ExpectCloseOptions extends Tolerance {
  /** What is compared, for the message. */
  label: string;
  /** Writes the worst place as an index of this shape. */
  shape?: readonly number[];
  /** Compares only where it is not 0 (padding is not compared). */
  mask?: ArrayLike<number | boolean>;
}

/**
 * Throws unless |actual − expected| ≤ atol + rtol · |expected| everywhere. A NaN is never close, not even to a NaN.
 *
 * The message counts the values that are off and shows the worst: its index, both values, the difference and what was allowed.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol, atol, label, shape, mask }: ExpectCloseOptions,
): void {
  expectSameLength("expectClose", label, actual, expected);
  let count = 0;
  let worst = { index: -1, ratio: 0 };
  for (let i = 0; i < expected.length; i++) {
    if (mask && !mask[i]) continue;
    const [a, e] = [actual[i]!, expected[i]!];
    if (a === e) continue; // Infinity − Infinity would be NaN
    const ratio = Math.abs(a - e) / (atol + rtol * Math.abs(e));
    if (ratio <= 1) continue;
    count++;
    if (worst.index < 0 || Number.isNaN(ratio) || ratio > worst.ratio) worst = { index: i, ratio: Number.isNaN(ratio) ? Infinity : ratio };
  }
  if (count === 0) return;
  const [a, e] = [actual[worst.index]!, expected[worst.index]!];
  const allowed = (atol + rtol * Math.abs(e)).toExponential(1);
  throw new Error(
    `expectClose: ${label}: ${count} of ${expected.length} values are off; worst at ${place(worst.index, shape)}: ` +
      `expected ${e}, got ${a} (difference ${Math.abs(a - e).toExponential(2)}, allowed ${allowed} from rtol ${rtol}, atol ${atol})`,
  );
}

/** Σ (actual − expected)² / Σ expected²; 0 for two zero arrays, Infinity where only `expected` is zero. */
export function normalizedMeanSquareError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expectSameLength("normalizedMeanSquareError", "arrays", actual, expected);
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    power += expected[i]! ** 2;
  }
  return error === 0 ? 0 : error / power;
}

/** Throws unless the normalised mean square error is at most `limit` (see `gemmTolerance`); a NaN is over any limit. */
export function expectSmallError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { limit, label }: { limit: number; label: string },
): void {
  const error = normalizedMeanSquareError(actual, expected);
  if (error <= limit) return;
  throw new Error(
    `expectSmallError: ${label}: normalised mean square error is too large; expected at most ${limit}, got ${error.toExponential(2)}`,
  );
}

/** Mean of |actual − expected|, where `mask` is not 0 (everywhere without one). */
export function meanAbsDifference(actual: ArrayLike<number>, expected: ArrayLike<number>, mask?: ArrayLike<number | boolean>): number {
  expectSameLength("meanAbsDifference", "arrays", actual, expected);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < expected.length; i++) {
    if (mask && !mask[i]) continue;
    sum += Math.abs(actual[i]! - expected[i]!);
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

function expectSameLength(operation: string, label: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  if (actual.length === expected.length) return;
  throw new Error(`${operation}: ${label}: lengths differ; expected ${expected.length} values, got ${actual.length}`);
}

/** 17 → "[1, 5]" for shape [4, 12]. */
function place(index: number, shape: readonly number[] | undefined): string {
  if (!shape) return `index ${index}`;
  const indices: number[] = [];
  for (let rest = index, axis = shape.length - 1; axis >= 0; axis--) {
    indices.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return `[${indices.join(", ")}]`;
}
