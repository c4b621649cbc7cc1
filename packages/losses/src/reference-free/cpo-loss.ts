import { add, div, exp, logSigmoid, maximum, mean, mul, scale, shift, sub, sum, where, type Tensor } from "@kto/tensor";
import { checkCpoOptions, largestExponent, type CpoLossOptions } from "./cpo-options.js";

/** Sequence log-probabilities of B pairs on the device, without a reference. */
export interface ReferenceFreePairs {
  /** [B] f32 nats, log π(y|x) of the chosen answers: sums over completion tokens; the gradient flows here */
  chosenLogProbs: Tensor;
  /** [B] f32 nats, of the rejected ones; and here */
  rejectedLogProbs: Tensor;
  /** [B] f32, tokens of the chosen answers, at least 1 */
  chosenLengths: Tensor;
  /** [B] f32, tokens of the rejected ones, at least 1 */
  rejectedLengths: Tensor;
}

/** What the likelihood of a micro-batch is divided by, where these pairs are a part of it. */
export interface WholeMicroBatch {
  /** Mean over the pairs of the whole micro-batch of the tokens that its chosen rows are likely by; default over these pairs */
  meanChosenLength?: number | undefined;
}

export interface CpoLossInputs extends ReferenceFreePairs, WholeMicroBatch, CpoLossOptions {}

/** Results on the device; only `loss` and `losses` are on the tape. */
export interface CpoLossResult {
  /** [] f32, mean over pairs, and cpoAlpha · nll */
  loss: Tensor;
  /** [B] f32, without the likelihood */
  losses: Tensor;
  /** [] f32, mean negative log-likelihood of all chosen tokens; 0 where cpoAlpha is, as in trl */
  nll: Tensor;
  /** [B] f32, β times the log-probabilities that the loss reads */
  chosenRewards: Tensor;
  /** [B] f32 */
  rejectedRewards: Tensor;
  /** [B] f32, the log-probabilities that trl logs: means over tokens where the loss reads those */
  chosenLogps: Tensor;
  /** [B] f32 */
  rejectedLogps: Tensor;
}

/**
 * CPO, and SimPO and AlphaPO, which are losses of it, on one micro-batch, recorded on the device.
 *
 *   S = log π(y|x), a = S / length, ε = labelSmoothing
 *   sigmoid: −(1 − ε) log σ(z) − ε log σ(−z),  z = β (S_c − S_r)
 *   hinge:   max(0, 1 − z)
 *   ipo:     (a_c − a_r − 1/(2β))²
 *   simpo:   as sigmoid, z = β (a_c − a_r) − γ
 *   alphapo: simpo with cpoAlpha 0
 *   loss = mean(losses) + cpoAlpha · nll
 *
 * With an α other than 0, S or a is replaced by (1 − e^(−αS)) / α in every loss, as in trl: so take it with simpo: of sums over many tokens
 * that is past all f32 numbers, and the loss NaN, not a plateau.
 *
 * No reference model is held in memory or run: half the cost of DPO, and nothing that keeps the policy near where it began, so train few steps at a low rate. For
 * SimPO: lossType "simpo", cpoAlpha 0, beta 2 or more. Throws LossInputError for options that are not usable.
 *
 * @see arXiv 2401.08417 (CPO), 2405.14734 (SimPO), 2501.03884 (AlphaPO); trl 1.16, trl.experimental.cpo
 */
export function cpoLoss(inputs: CpoLossInputs): CpoLossResult {
  const { lossType, beta, labelSmoothing, cpoAlpha, simpoGamma, alpha, isPerToken } = checkCpoOptions("cpoLoss", inputs);
  const { chosenLogProbs, rejectedLogProbs, chosenLengths, rejectedLengths, meanChosenLength } = inputs;
  const { device } = chosenLogProbs;
  const bent = (logProbs: Tensor): Tensor => {
    if (alpha === 0) return logProbs;
    const exponent = scale(logProbs, -alpha); // [B]
    const reward = scale(shift(scale(exp(exponent), -1), 1), 1 / alpha); // [B]
    return where(maximum(shift(exponent, -largestExponent), 0), device.tensor([Number.NaN], [], "f32"), reward);
  };
  return device.scope("cpoLoss", () => {
    const chosenLogps = isPerToken ? div(chosenLogProbs, chosenLengths) : chosenLogProbs; // [B]
    const rejectedLogps = isPerToken ? div(rejectedLogProbs, rejectedLengths) : rejectedLogProbs; // [B]
    const [chosen, rejected] = [bent(chosenLogps), bent(rejectedLogps)]; // [B] each
    const difference = sub(chosen, rejected); // [B]
    const pairLosses = (): Tensor => {
      if (lossType === "hinge") return maximum(shift(scale(difference, -beta), 1), 0);
      if (lossType === "ipo") {
        const distance = shift(difference, -1 / (2 * beta));
        return mul(distance, distance);
      }
      const scaled = scale(difference, beta);
      const z = lossType === "sigmoid" ? scaled : shift(scaled, -simpoGamma);
      const right = scale(logSigmoid(z), -(1 - labelSmoothing));
      return labelSmoothing === 0 ? right : add(right, scale(logSigmoid(scale(z, -1)), -labelSmoothing));
    };
    const losses = pairLosses(); // [B]
    const likelihood = (): Tensor =>
      meanChosenLength === undefined
        ? div(scale(sum(chosenLogProbs), -1), sum(chosenLengths))
        : scale(mean(chosenLogProbs), -1 / meanChosenLength);
    const nll = cpoAlpha === 0 ? device.zeros([], "f32") : likelihood(); // []
    const loss = cpoAlpha === 0 ? mean(losses) : add(mean(losses), scale(nll, cpoAlpha));
    return {
      loss,
      losses,
      nll: nll.detach(),
      chosenRewards: scale(chosen, beta).detach(),
      rejectedRewards: scale(rejected, beta).detach(),
      chosenLogps: chosenLogps.detach(),
      rejectedLogps: rejectedLogps.detach(),
    };
  });
}
