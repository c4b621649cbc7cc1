import { maximum, mean, mul, scale, shift, sigmoid, sub, type Tensor } from "@kto/tensor";
import { LossInputError } from "./errors.js";
import type { KtoLossType } from "./kto-plain.js";

/** Sequence log-probabilities of one micro-batch on the device, and how to weigh them. */
export interface KtoLossInputs {
  /** [B] f32 nats, log π(y|x): sums over completion tokens; the gradient flows here */
  policyLogProbs: Tensor;
  /** [B] f32 nats, log ρ(y|x) */
  refLogProbs: Tensor;
  /** [K] f32 nats, log π(y'|x) of the mismatched rows; `kto` only */
  policyKlLogProbs?: Tensor;
  /** [K] f32 nats, log ρ(y'|x) of the mismatched rows; `kto` only */
  refKlLogProbs?: Tensor;
  /** [B] f32, 1 desirable, 0 undesirable */
  labels: Tensor;
  /** default 0.1 */
  beta?: number;
  /** default 1 */
  desirableWeight?: number;
  /** default 1 */
  undesirableWeight?: number;
  /** default "kto" */
  lossType?: KtoLossType;
}

/** Results on the device; only `loss` and `losses` are on the tape. */
export interface KtoLossResult {
  /** [] f32, mean over rows */
  loss: Tensor;
  /** [B] f32, weight applied */
  losses: Tensor;
  /** [] f32, max(0, mean log-ratio of the mismatched rows); undefined for apo_zero_unpaired, where it is 0 */
  kl: Tensor | undefined;
  /** [B] f32, β · log-ratio */
  rewards: Tensor;
}

/**
 * KTO and unpaired APO-zero of one micro-batch, recorded on the device.
 *
 *   ℓ = policyLogProbs − refLogProbs,  z = ℓ − kl if desirable, kl − ℓ if undesirable
 *   losses = w · σ(−β z),  loss = mean(losses),  kl = max(0, mean(policyKlLogProbs − refKlLogProbs)), a constant for the gradient
 *
 * Equal policy and reference give a loss of exactly 0.5 at weights 1. A NaN log-probability makes the loss NaN.
 * Throws LossInputError where `kto` lacks the KL log-probabilities.
 *
 * @see arXiv 2402.01306 (KTO), 2408.06266 (APO)
 */
export function ktoLoss(inputs: KtoLossInputs): KtoLossResult {
  const {
    policyLogProbs,
    refLogProbs,
    policyKlLogProbs,
    refKlLogProbs,
    labels,
    beta = 0.1,
    desirableWeight = 1,
    undesirableWeight = 1,
    lossType = "kto",
  } = inputs;
  const { device } = policyLogProbs;
  return device.scope("ktoLoss", () => {
    let kl: Tensor | undefined;
    if (lossType === "kto") {
      if (!policyKlLogProbs || !refKlLogProbs) {
        throw new LossInputError(
          `ktoLoss: lossType "kto" needs policyKlLogProbs and refKlLogProbs; expected log-probabilities of the mismatched rows, got none; use "apo_zero_unpaired" for a loss without KL`,
          {
            field: policyKlLogProbs ? "refKlLogProbs" : "policyKlLogProbs",
          },
        );
      }
      kl = device.noGrad(() => maximum(mean(sub(policyKlLogProbs, refKlLogProbs)), 0)); // []
    }
    const logRatios = sub(policyLogProbs, refLogProbs); // [B]
    const signs = shift(scale(labels, 2), -1); // [B], 1 or −1
    const weights = shift(scale(labels, desirableWeight - undesirableWeight), undesirableWeight); // [B]
    const margins = mul(signs, kl ? sub(logRatios, kl) : logRatios); // [B]
    const losses = mul(weights, sigmoid(scale(margins, -beta))); // [B]
    return { loss: mean(losses), losses, kl, rewards: scale(logRatios, beta).detach() };
  });
}
