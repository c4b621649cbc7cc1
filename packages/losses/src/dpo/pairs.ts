import { scale, sub, type Tensor } from "@kto/tensor";
import { LossInputError } from "../errors.js";
import type { PairLossOptions } from "./options.js";

/** Sequence log-probabilities of B pairs on the device, all [B] f32 nats: sums over completion tokens. The gradient flows to those of the policy. */
export interface PairLogProbs {
  /** log π(y|x) of the chosen completions */
  policyChosenLogProbs: Tensor;
  /** log π(y|x) of the rejected ones */
  policyRejectedLogProbs: Tensor;
  /** log ρ(y|x) of the chosen completions */
  refChosenLogProbs: Tensor;
  /** log ρ(y|x) of the rejected ones */
  refRejectedLogProbs: Tensor;
}

/** What some losses read besides. */
export interface PairLengths {
  /** [B] f32, tokens of the chosen completions, at least 1; for ipo, sigmoid_norm and sft */
  chosenLengths?: Tensor | undefined;
  /** [B] f32, tokens of the rejected ones, at least 1; for ipo and sigmoid_norm */
  rejectedLengths?: Tensor | undefined;
  /** [B] f32 nats, log π(y|x) for sft, where `policyChosenLogProbs` weigh their tokens; default those */
  chosenTokenLogProbs?: Tensor | undefined;
  /** Mean of `chosenLengths` over the whole micro-batch, where these pairs are a part of it; default over these */
  meanChosenLength?: number | undefined;
}

/** B pairs as a loss reads them, all [B] f32. */
export interface Pairs extends PairLogProbs, PairLengths {
  /** c = log π(y|x) − log ρ(y|x) of the chosen completions */
  chosenLogRatios: Tensor;
  /** r, that of the rejected ones */
  rejectedLogRatios: Tensor;
  /** s(c): c under reverse KL, see `fDivergenceScores` */
  chosenScores: Tensor;
  /** s(r) */
  rejectedScores: Tensor;
}

/** A loss: [B] f32, one number a pair. */
export type PairLoss = (pairs: Pairs, options: PairLossOptions) => Tensor;

/** A loss of z = β · (s(c) − s(r)) alone. */
export function onMargins(loss: (margins: Tensor, options: PairLossOptions) => Tensor): PairLoss {
  return (pairs, options) => loss(scale(sub(pairs.chosenScores, pairs.rejectedScores), options.beta), options);
}

/** [B] f32, lengths that a loss needs; throws LossInputError without them. */
export function lengthsFor(lossType: string, pairs: Pairs, field: "chosenLengths" | "rejectedLengths"): Tensor {
  const lengths = pairs[field];
  if (lengths) return lengths;
  throw new LossInputError(`dpoLoss: lossType "${lossType}" needs ${field}; expected the tokens of each completion, got none`, { field });
}
