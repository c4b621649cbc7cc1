import { add, div, exp, type Tensor } from "@kto/tensor";

/** What WPO weighs B pairs by, all [B] f32. */
export interface WpoWeightInputs {
  /** Σ over the tokens y_t of a chosen answer of log p(y_t) − log Σ_v p(v)², nats */
  chosenAlignedLogProbs: Tensor;
  /** The same of the rejected answers. */
  rejectedAlignedLogProbs: Tensor;
  /** Tokens of the chosen answers, at least 1 */
  chosenLengths: Tensor;
  /** Tokens of the rejected ones, at least 1 */
  rejectedLengths: Tensor;
}

/**
 * WPO: how likely the policy would be to give the two answers of each pair itself, for `weights` of `dpoLoss`.
 *
 *   w = exp(mean over the chosen tokens of a + mean over the rejected tokens of a),  a = log p(y_t) − log Σ_v p(v)²
 *
 * Brings data of other models nearer to the policy's own: pairs that it would never write count little. Next to a loss in which most pairs are far from the policy
 * all weights are small, and the learning rate has to make up for it.
 *
 * @returns  [B] f32, without gradient
 * @see arXiv 2406.11827 (WPO); trl 1.16, DPOTrainer
 */
export function wpoWeights({ chosenAlignedLogProbs, rejectedAlignedLogProbs, chosenLengths, rejectedLengths }: WpoWeightInputs): Tensor {
  const { device } = chosenAlignedLogProbs;
  return device.scope("wpoWeights", () =>
    device.noGrad(() => exp(add(div(chosenAlignedLogProbs, chosenLengths), div(rejectedAlignedLogProbs, rejectedLengths)))),
  );
}
