import { checkSftInputs } from "./check-sft-inputs.js";
import type { SftLossType } from "./sft-loss-types.js";

/** Log-probabilities of the scored tokens of a batch, and what their sum is divided by. */
export interface SftPlainInputs {
  /** [numTokens] nats */
  tokenLogProbs: ArrayLike<number>;
  /** Scored tokens that the loss is a mean over; default those given. */
  numItemsInBatch?: number;
  /** default "nll" */
  lossType?: SftLossType;
}

/** The loss, and its derivative with respect to each log-probability. */
export interface SftPlainResult {
  loss: number;
  /** [numTokens] */
  gradient: Float64Array;
}

/**
 * The cross-entropy of supervised fine-tuning in float64, as `sftLoss` records it on a device.
 *
 *   nll:  loss = −Σ ℓ / n,  ∂/∂ℓ = −1/n;    dft:  loss = −Σ e^ℓ · ℓ / n,  ∂/∂ℓ = −e^ℓ / n, e^ℓ being held constant
 *
 * Throws LossInputError for no tokens, an unknown `lossType`, and a `numItemsInBatch` below 1.
 */
export function sftLossPlain({ tokenLogProbs, numItemsInBatch = tokenLogProbs.length, lossType = "nll" }: SftPlainInputs): SftPlainResult {
  checkSftInputs("sftLossPlain", { lossType, numItemsInBatch });
  const weights = Float64Array.from(tokenLogProbs, (logProb) => (lossType === "dft" ? Math.exp(logProb) : 1));
  let total = 0;
  for (let token = 0; token < weights.length; token++) total -= weights[token]! * tokenLogProbs[token]!;
  return { loss: total / numItemsInBatch, gradient: weights.map((weight) => -weight / numItemsInBatch) };
}
