/**
 * The sixteen values of NF4, ascending: quantiles of a normal distribution, scaled to [−1, 1], seven negative, zero, eight positive. As data, because no
 * run-time formula gives the same bits everywhere (arXiv 2305.14314, appendix E; the last bits as in the files that bitsandbytes writes).
 */
export const nf4Codes: Float32Array = Float32Array.of(
  -1,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1,
);

/** Midpoints of neighbours in an ascending table, each rounded to f32: above the k-th of them the code is more than k. */
export function thresholdsOf(codes: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: codes.length - 1 }, (_, index) => Math.fround(codes[index]! + codes[index + 1]!) / 2);
}

/** How many thresholds x exceeds, so the nearest code, and the lower one of two that are equally near; 0 for NaN. */
export function codeOf(x: number, thresholds: Float32Array): number {
  let code = 0;
  for (const threshold of thresholds) if (x > threshold) code++;
  return code;
}
