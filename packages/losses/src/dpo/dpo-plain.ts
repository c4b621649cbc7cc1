import { LossInputError } from "../errors.js";
import { apoDownPlain, apoZeroPlain, bcoPairPlain, ncaPairPlain } from "./anchored-plain.js";
import { dpoMetrics, type DpoMetrics } from "./dpo-metrics.js";
import { fDivergenceScorePlain } from "./f-divergence-plain.js";
import { discopopPlain, exoPairPlain, robustPlain, sigmoidNormPlain, sigmoidPlain } from "./logistic-plain.js";
import { hingePlain, ipoPlain, sppoHardPlain } from "./margins-plain.js";
import { checkDpoOptions, type CheckedDpoOptions, type DpoLossOptions, type DpoLossType } from "./options.js";
import type { PlainAnswer, PlainPair, PlainPairLoss } from "./pairs-plain.js";
import { aotPlain, aotUnpairedPlain } from "./sorted-plain.js";
import { sftPlain } from "./supervised-plain.js";

const plainLosses: Readonly<Record<DpoLossType, PlainPairLoss>> = {
  sigmoid: sigmoidPlain,
  hinge: hingePlain,
  ipo: ipoPlain,
  exo_pair: exoPairPlain,
  nca_pair: ncaPairPlain,
  robust: robustPlain,
  bco_pair: bcoPairPlain,
  sppo_hard: sppoHardPlain,
  aot: aotPlain,
  aot_unpaired: aotUnpairedPlain,
  apo_zero: apoZeroPlain,
  apo_down: apoDownPlain,
  discopop: discopopPlain,
  sigmoid_norm: sigmoidNormPlain,
  sft: sftPlain,
};

/** Losses that read the number of tokens. */
const perToken: readonly DpoLossType[] = ["ipo", "sigmoid_norm", "sft"];

/** Sequence log-probabilities of a micro-batch of B pairs, and which losses of them. */
export interface DpoPlainInputs extends DpoLossOptions {
  /** [B] nats, log π(y|x): sums over completion tokens */
  policyChosenLogProbs: ArrayLike<number>;
  /** [B] nats */
  policyRejectedLogProbs: ArrayLike<number>;
  /** [B] nats, log ρ(y|x) */
  refChosenLogProbs: ArrayLike<number>;
  /** [B] nats */
  refRejectedLogProbs: ArrayLike<number>;
  /** [B] tokens of the completions, 0 counting as 1; for ipo, sigmoid_norm and sft */
  chosenLengths?: ArrayLike<number> | undefined;
  /** [B] tokens */
  rejectedLengths?: ArrayLike<number> | undefined;
  /** [B] what each pair's loss is multiplied by; default 1 */
  weights?: ArrayLike<number> | undefined;
}

export interface DpoPlainResult {
  /** [B] all losses of a pair, weighted and added */
  readonly losses: Float64Array;
  /** Mean of `losses`. */
  readonly loss: number;
  /** [B] β · log-ratio of the chosen completions */
  readonly chosenRewards: Float64Array;
  /** [B] */
  readonly rejectedRewards: Float64Array;
  /** [B] ∂loss/∂policyChosenLogProbs */
  readonly chosenGradient: Float64Array;
  /** [B] ∂loss/∂policyRejectedLogProbs */
  readonly rejectedGradient: Float64Array;
  /** What trl logs for this micro-batch. */
  readonly metrics: DpoMetrics;
}

/**
 * DPO and its kin on one micro-batch of pairs, in plain float64: the oracle of `dpoLoss`, and a CPU API. Formulas stand at each loss.
 *
 * Throws LossInputError for lengths that differ, options that do not go together, and lengths of completions that a loss needs and lacks. A NaN log-probability
 * makes the loss NaN.
 *
 * @see arXiv 2305.18290 (DPO); trl 1.16, DPOTrainer
 */
export function dpoLossPlain(inputs: DpoPlainInputs): DpoPlainResult {
  const { terms, ...options } = checkDpoOptions("dpoLossPlain", inputs);
  const pairs = readPairs(inputs, options);
  const numPairs = pairs.length;
  const zeros = (): Float64Array => new Float64Array(numPairs);
  const [losses, chosenGradient, rejectedGradient] = [zeros(), zeros(), zeros()];
  for (const { lossType, weight } of terms) {
    if (perToken.includes(lossType)) expectLengths(lossType, inputs);
    plainLosses[lossType](pairs, options).forEach(({ loss, dChosen, dRejected }, pair) => {
      losses[pair]! += weight * loss;
      chosenGradient[pair]! += (weight * dChosen) / numPairs;
      rejectedGradient[pair]! += (weight * dRejected) / numPairs;
    });
  }
  for (const values of inputs.weights ? [losses, chosenGradient, rejectedGradient] : [])
    values.forEach((value, pair) => (values[pair] = value * inputs.weights![pair]!));
  const chosenRewards = Float64Array.from(pairs, ({ chosen }) => options.beta * chosen.logRatio);
  const rejectedRewards = Float64Array.from(pairs, ({ rejected }) => options.beta * rejected.logRatio);
  return {
    losses,
    loss: losses.reduce((sum, loss) => sum + loss, 0) / numPairs,
    chosenRewards,
    rejectedRewards,
    chosenGradient,
    rejectedGradient,
    metrics: dpoMetrics({ ...inputs, chosenRewards, rejectedRewards }),
  };
}

function readPairs(inputs: DpoPlainInputs, options: Omit<CheckedDpoOptions, "terms">): PlainPair[] {
  const { policyChosenLogProbs, policyRejectedLogProbs, refChosenLogProbs, refRejectedLogProbs, chosenLengths, rejectedLengths } = inputs;
  const numPairs = policyChosenLogProbs.length;
  if (numPairs === 0)
    throw new LossInputError("dpoLossPlain: there are no pairs; expected policyChosenLogProbs of length ≥ 1, got 0", {
      field: "policyChosenLogProbs",
    });
  const fields = {
    policyRejectedLogProbs,
    refChosenLogProbs,
    refRejectedLogProbs,
    chosenLengths,
    rejectedLengths,
    weights: inputs.weights,
  };
  for (const [field, values] of Object.entries(fields))
    if (values && values.length !== numPairs)
      throw new LossInputError(`dpoLossPlain: ${field} has the wrong length; expected ${numPairs}, got ${values.length}`, { field });
  const answer = (policy: number, reference: number, length: number | undefined): PlainAnswer => {
    const logRatio = policy - reference;
    return { policy, reference, logRatio, score: fDivergenceScorePlain(logRatio, options), length: Math.max(1, length ?? 1) };
  };
  return Array.from({ length: numPairs }, (_, pair) => ({
    chosen: answer(policyChosenLogProbs[pair]!, refChosenLogProbs[pair]!, chosenLengths?.[pair]),
    rejected: answer(policyRejectedLogProbs[pair]!, refRejectedLogProbs[pair]!, rejectedLengths?.[pair]),
  }));
}

function expectLengths(lossType: DpoLossType, inputs: DpoPlainInputs): void {
  const needed = lossType === "sft" ? (["chosenLengths"] as const) : (["chosenLengths", "rejectedLengths"] as const);
  for (const field of needed)
    if (!inputs[field])
      throw new LossInputError(`dpoLossPlain: lossType "${lossType}" needs ${field}; expected the tokens of each completion, got none`, {
        field,
      });
}
