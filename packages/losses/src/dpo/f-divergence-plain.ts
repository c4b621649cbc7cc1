import { logSigmoid, sigmoid } from "../scalars.js";
import type { CheckedDpoOptions } from "./options.js";

type Divergence = Pick<CheckedDpoOptions, "fDivergenceType" | "fAlphaDivergenceCoef">;

/** Exponents of scores are cut here, as trl does in f32. */
export const mostExponent = 80;

/** True where the score is the log-ratio itself: also for an alpha as near to 1 as trl takes for it. */
export function isReverseKl({ fDivergenceType, fAlphaDivergenceCoef }: Divergence): boolean {
  return fDivergenceType === "reverse_kl" || (fDivergenceType === "alpha_divergence" && Math.abs(fAlphaDivergenceCoef - 1) < 1e-6);
}

/** A score and its derivative by the log-ratio. */
export interface PlainScore {
  value: number;
  slope: number;
}

/**
 * Score of a log-ratio, in plain float64: see `fDivergenceScores`.
 *
 *   ds/dℓ = 1,  e^(−ℓ),  σ(−ℓ),  e^((a − 1) ℓ);  0 where the exponent is cut
 */
export function fDivergenceScorePlain(logRatio: number, divergence: Divergence): PlainScore {
  if (isReverseKl(divergence)) return { value: logRatio, slope: 1 };
  if (divergence.fDivergenceType === "js_divergence") return { value: logSigmoid(logRatio), slope: sigmoid(-logRatio) };
  const factor = divergence.fDivergenceType === "forward_kl" ? -1 : divergence.fAlphaDivergenceCoef - 1;
  const exponent = factor * logRatio;
  const power = Math.exp(Math.min(exponent, mostExponent));
  return { value: power / factor, slope: exponent > mostExponent ? 0 : power };
}
