import { clamp, exp, logSigmoid, scale, type Tensor } from "@kto/tensor";
import { isReverseKl, mostExponent } from "./f-divergence-plain.js";
import type { CheckedDpoOptions } from "./options.js";

/**
 * Scores of log-ratios ℓ = log π/ρ: how far the policy has moved, as a divergence measures it. Only differences of scores count, so that constants are left out.
 *
 *   reverse_kl:       s = ℓ
 *   forward_kl:       s = −e^(−ℓ)
 *   js_divergence:    s = log σ(ℓ)
 *   alpha_divergence: s = e^((a − 1) ℓ) / (a − 1);  ℓ for a = 1
 *
 * Exponents count as 80 at most, with gradient 0 beyond. Forward KL punishes what the policy no longer covers and has steep gradients where ℓ < 0; JS is bounded
 * above, the mildest of them; alpha lies between the two KLs.
 *
 * @param logRatios  [B] f32
 * @returns          [B] f32
 * @see arXiv 2309.16240 (f-DPO); trl 1.16, DPOTrainer
 */
export function fDivergenceScores(
  logRatios: Tensor,
  { fDivergenceType, fAlphaDivergenceCoef }: Pick<CheckedDpoOptions, "fDivergenceType" | "fAlphaDivergenceCoef">,
): Tensor {
  const power = (factor: number): Tensor => exp(clamp(scale(logRatios, factor), -Infinity, mostExponent)); // e^(factor · ℓ)
  if (isReverseKl({ fDivergenceType, fAlphaDivergenceCoef })) return logRatios;
  if (fDivergenceType === "js_divergence") return logSigmoid(logRatios);
  if (fDivergenceType === "forward_kl") return scale(power(-1), -1);
  return scale(power(fAlphaDivergenceCoef - 1), 1 / (fAlphaDivergenceCoef - 1));
}
