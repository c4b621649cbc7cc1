import { add, mean, mul, scale, sub, type Tensor } from "@kto/tensor";
import { apoDownLoss, apoZeroLoss, bcoPairLoss, ncaPairLoss } from "./anchored.js";
import { fDivergenceScores } from "./f-divergence.js";
import { discopopLoss, exoPairLoss, robustLoss, sigmoidLoss, sigmoidNormLoss } from "./logistic.js";
import { hingeLoss, ipoLoss, sppoHardLoss } from "./margins.js";
import { checkDpoOptions, type DpoLossOptions, type DpoLossType } from "./options.js";
import type { PairLengths, PairLogProbs, PairLoss, Pairs } from "./pairs.js";
import { aotLoss, aotUnpairedLoss } from "./sorted.js";
import { sftLoss } from "./supervised.js";

/** Every loss under trl's name. */
export const dpoLosses: Readonly<Record<DpoLossType, PairLoss>> = {
  sigmoid: sigmoidLoss,
  hinge: hingeLoss,
  ipo: ipoLoss,
  exo_pair: exoPairLoss,
  nca_pair: ncaPairLoss,
  robust: robustLoss,
  bco_pair: bcoPairLoss,
  sppo_hard: sppoHardLoss,
  aot: aotLoss,
  aot_unpaired: aotUnpairedLoss,
  apo_zero: apoZeroLoss,
  apo_down: apoDownLoss,
  discopop: discopopLoss,
  sigmoid_norm: sigmoidNormLoss,
  sft: sftLoss,
};

/** Log-probabilities of the pairs of a micro-batch on the device, and which losses of them. */
export interface DpoLossInputs extends PairLogProbs, PairLengths, DpoLossOptions {
  /** [B] f32, what each pair's loss is multiplied by, a constant for the gradient (those of WPO, for example); default 1 */
  weights?: Tensor | undefined;
}

/** Results on the device; only `loss` and `losses` are on the tape. */
export interface DpoLossResult {
  /** [] f32, mean over pairs */
  loss: Tensor;
  /** [B] f32, all losses of a pair, weighted and added */
  losses: Tensor;
  /** [B] f32, β · log-ratio of the chosen completions */
  chosenRewards: Tensor;
  /** [B] f32, that of the rejected ones */
  rejectedRewards: Tensor;
}

/**
 * DPO and its kin on one micro-batch of pairs, recorded on the device.
 *
 *   c, r = log π(y|x) − log ρ(y|x) of the chosen and the rejected answer
 *   losses = weights · Σ lossWeight · loss(c, r),  loss = mean(losses)
 *
 * Each loss stands by itself in `dpoLosses`. Equal policy and reference give log 2 under `sigmoid`. A NaN log-probability makes the loss NaN. Throws LossInputError
 * for options that do not go together, and lengths that a loss needs and lacks.
 *
 * @see arXiv 2305.18290 (DPO); trl 1.16, DPOTrainer
 */
export function dpoLoss(inputs: DpoLossInputs): DpoLossResult {
  const { terms, ...options } = checkDpoOptions("dpoLoss", inputs);
  const { policyChosenLogProbs, policyRejectedLogProbs, refChosenLogProbs, refRejectedLogProbs, weights } = inputs;
  const { device } = policyChosenLogProbs;
  return device.scope("dpoLoss", () => {
    const chosenLogRatios = sub(policyChosenLogProbs, refChosenLogProbs); // [B]
    const rejectedLogRatios = sub(policyRejectedLogProbs, refRejectedLogProbs); // [B]
    const pairs: Pairs = {
      ...inputs,
      chosenLogRatios,
      rejectedLogRatios,
      chosenScores: fDivergenceScores(chosenLogRatios, options), // [B]
      rejectedScores: fDivergenceScores(rejectedLogRatios, options), // [B]
    };
    const sum = terms
      .map(({ lossType, weight }) => {
        const losses = dpoLosses[lossType](pairs, options); // [B]
        return weight === 1 ? losses : scale(losses, weight);
      })
      .reduce((a, b) => add(a, b));
    const losses = weights ? mul(sum, weights.detach()) : sum;
    return {
      loss: mean(losses),
      losses,
      chosenRewards: scale(chosenLogRatios, options.beta).detach(),
      rejectedRewards: scale(rejectedLogRatios, options.beta).detach(),
    };
  });
}
