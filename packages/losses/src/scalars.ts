/** σ(x) = 1 / (1 + e⁻ˣ), without overflow on either side; 1 − σ(x) is σ(−x). */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** log σ(x), without overflow on either side; its derivative is σ(−x). */
export function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}
