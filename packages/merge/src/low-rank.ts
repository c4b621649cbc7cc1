/** What adapters add to a weight: factor · B · A. */
export interface LowRankProduct {
  /** [r, inFeatures] */
  readonly a: Float32Array;
  /** [outFeatures, r] */
  readonly b: Float32Array;
  readonly r: number;
  /** Scale of the adapter times its weight in the merge. */
  readonly factor: number;
}

/** Rows of a weight, and which they are. */
export interface WeightRows {
  /** [to − from, inFeatures] */
  readonly values: Float32Array;
  readonly inFeatures: number;
  readonly from: number;
}

/**
 * Adds Σ factorᵢ · BᵢAᵢ to rows of a weight, in place: the sum of all products in f64, then one addition that is rounded to f32.
 *
 * @returns Σ change², for whoever compares it with an error
 */
export function addLowRank({ values, inFeatures, from }: WeightRows, products: readonly LowRankProduct[]): number {
  const numRows = values.length / inFeatures;
  const delta = new Float64Array(inFeatures);
  let squares = 0;
  for (let row = 0; row < numRows; row++) {
    delta.fill(0);
    for (const { a, b, r, factor } of products) {
      const first = (from + row) * r;
      for (let k = 0; k < r; k += 4) addRows(delta, a, { k, r, inFeatures, b, first, factor });
    }
    const at = row * inFeatures;
    for (let column = 0; column < inFeatures; column++) {
      const change = delta[column]!;
      squares += change * change;
      values[at + column] = values[at + column]! + change;
    }
  }
  return squares;
}

/** Adds up to four rows of A, each times its factor, so that the sum is loaded and stored once for all of them. */
function addRows(
  delta: Float64Array,
  a: Float32Array,
  { k, r, inFeatures, b, first, factor }: { k: number; r: number; inFeatures: number; b: Float32Array; first: number; factor: number },
): void {
  if (k + 4 > r) {
    for (let rest = k; rest < r; rest++) {
      const times = factor * b[first + rest]!;
      const row = rest * inFeatures;
      for (let column = 0; column < inFeatures; column++) delta[column]! += times * a[row + column]!;
    }
    return;
  }
  const [times0, times1, times2, times3] = [0, 1, 2, 3].map((next) => factor * b[first + k + next]!) as [number, number, number, number];
  const row0 = k * inFeatures;
  const [row1, row2, row3] = [row0 + inFeatures, row0 + 2 * inFeatures, row0 + 3 * inFeatures];
  for (let column = 0; column < inFeatures; column++) {
    delta[column]! += times0 * a[row0 + column]! + times1 * a[row1 + column]! + times2 * a[row2 + column]! + times3 * a[row3 + column]!;
  }
}
