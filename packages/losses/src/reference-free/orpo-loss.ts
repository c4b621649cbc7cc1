import { add, div, logOneMinusExp, logSigmoid, mean, scale, sub, type Tensor } from "@kto/tensor";
import type { ReferenceFreePairs } from "./cpo-loss.js";

export interface OrpoLossInputs extends ReferenceFreePairs {
  /** [] f32, mean negative log-likelihood of all tokens of the chosen rows, those of the prompt too; the gradient flows here */
  nll: Tensor;
  /** default 0.1 */
  beta?: number;
}

/** Results on the device; only `loss` is on the tape. */
export interface OrpoLossResult {
  /** [] f32, nll − β · mean(logOddsRatio) */
  loss: Tensor;
  /** [B] f32, log σ(logOddsChosen) */
  logOddsRatio: Tensor;
  /** [B] f32, θ */
  logOddsChosen: Tensor;
  /** [B] f32, β · a */
  chosenRewards: Tensor;
  /** [B] f32 */
  rejectedRewards: Tensor;
  /** [B] f32, a: means over tokens */
  chosenLogps: Tensor;
  /** [B] f32 */
  rejectedLogps: Tensor;
}

/**
 * ORPO on one micro-batch, recorded on the device.
 *
 *   a = log π(y|x) / length,  θ = (a_c − a_r) − (log(1 − e^a_c) − log(1 − e^a_r)),  loss = nll − β · mean(log σ(θ))
 *
 * Fine-tuning and preference in one, from a base model that was not tuned before; without a reference. Finite where a token mean is 0 (probability 1).
 *
 * @see arXiv 2403.07691 (ORPO); trl 1.16, trl.experimental.orpo
 */
export function orpoLoss({
  chosenLogProbs,
  rejectedLogProbs,
  chosenLengths,
  rejectedLengths,
  nll,
  beta = 0.1,
}: OrpoLossInputs): OrpoLossResult {
  return chosenLogProbs.device.scope("orpoLoss", () => {
    const chosenLogps = div(chosenLogProbs, chosenLengths); // [B]
    const rejectedLogps = div(rejectedLogProbs, rejectedLengths); // [B]
    const logOddsChosen = sub(sub(chosenLogps, rejectedLogps), sub(logOneMinusExp(chosenLogps), logOneMinusExp(rejectedLogps))); // [B]
    const logOddsRatio = logSigmoid(logOddsChosen); // [B]
    return {
      loss: add(nll, scale(mean(logOddsRatio), -beta)),
      logOddsRatio: logOddsRatio.detach(),
      logOddsChosen: logOddsChosen.detach(),
      chosenRewards: scale(chosenLogps, beta).detach(),
      rejectedRewards: scale(rejectedLogps, beta).detach(),
      chosenLogps: chosenLogps.detach(),
      rejectedLogps: rejectedLogps.detach(),
    };
  });
}
