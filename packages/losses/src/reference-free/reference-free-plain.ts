import { dpoMetrics, type DpoMetrics } from "../dpo/dpo-metrics.js";
import { LossInputError } from "../errors.js";
import { logSigmoid, sigmoid } from "../scalars.js";
import { checkCpoOptions, largestExponent, type CpoLossOptions } from "./cpo-options.js";

/** Sequence log-probabilities of B pairs, without a reference. */
export interface ReferenceFreePlainPairs {
  /** [B] nats: sums over completion tokens */
  chosenLogProbs: ArrayLike<number>;
  /** [B] nats */
  rejectedLogProbs: ArrayLike<number>;
  /** [B] tokens, 0 counting as 1 */
  chosenLengths: ArrayLike<number>;
  /** [B] tokens */
  rejectedLengths: ArrayLike<number>;
}

export interface CpoPlainInputs extends ReferenceFreePlainPairs, CpoLossOptions {}

export interface OrpoPlainInputs extends ReferenceFreePlainPairs {
  /** Mean negative log-likelihood of all tokens of the chosen rows, those of the prompt too. */
  nll: number;
  /** default 0.1 */
  beta?: number;
}

export interface ReferenceFreePlainResult {
  readonly loss: number;
  /** [B] ∂loss/∂chosenLogProbs; `orpoLossPlain`: without what flows through `nll`, whose derivative is 1 */
  readonly chosenGradient: Float64Array;
  /** [B] ∂loss/∂rejectedLogProbs */
  readonly rejectedGradient: Float64Array;
  /** What trl logs for this micro-batch. */
  readonly metrics: DpoMetrics & { nll_loss: number; log_odds_ratio?: number; log_odds_chosen?: number };
}

/**
 * CPO, SimPO and AlphaPO in plain float64: the oracle of `cpoLoss`, where the formulas are.
 *
 *   ∂loss/∂S_c = slope · bend_c · w_c / B − cpoAlpha / Σ length,  ∂loss/∂S_r = −slope · bend_r · w_r / B
 *   slope = ∂ pair loss/∂ difference,  bend = e^(−αS) of what the loss reads,  w = 1/length where the loss reads means, else 1
 *
 * Throws LossInputError for lengths that differ and options that are not usable.
 *
 * @see arXiv 2401.08417 (CPO), 2405.14734 (SimPO), 2501.03884 (AlphaPO)
 */
export function cpoLossPlain(inputs: CpoPlainInputs): ReferenceFreePlainResult {
  const { lossType, beta, labelSmoothing: e, cpoAlpha, simpoGamma, alpha, isPerToken } = checkCpoOptions("cpoLossPlain", inputs);
  const pairs = readPairs("cpoLossPlain", inputs);
  const isBent = alpha !== 0;
  const side = ({ sum, length }: Side): { logp: number; read: number; slope: number } => {
    const share = isPerToken ? 1 / length : 1;
    const logp = sum * share;
    const power = !isBent ? 1 : -alpha * logp > largestExponent ? Number.NaN : Math.exp(-alpha * logp);
    return { logp, read: isBent ? (1 - power) / alpha : logp, slope: power * share };
  };
  const pairLoss = (difference: number): { loss: number; slope: number } => {
    if (lossType === "hinge") return { loss: Math.max(0, 1 - beta * difference), slope: beta * difference < 1 ? -beta : 0 };
    if (lossType === "ipo") return { loss: (difference - 1 / (2 * beta)) ** 2, slope: 2 * (difference - 1 / (2 * beta)) };
    const z = beta * difference - (lossType === "sigmoid" ? 0 : simpoGamma);
    return { loss: -(1 - e) * logSigmoid(z) - e * logSigmoid(-z), slope: -beta * ((1 - e) * sigmoid(-z) - e * sigmoid(z)) };
  };
  const sides = pairs.map(({ chosen, rejected }) => ({ chosen: side(chosen), rejected: side(rejected) }));
  const values = sides.map(({ chosen, rejected }) => pairLoss(chosen.read - rejected.read));
  const numTokens = pairs.reduce((total, { chosen }) => total + chosen.length, 0);
  const nll = cpoAlpha === 0 ? 0 : -pairs.reduce((total, { chosen }) => total + chosen.sum, 0) / numTokens;
  return {
    loss: values.reduce((total, { loss }) => total + loss, 0) / pairs.length + cpoAlpha * nll,
    chosenGradient: Float64Array.from(
      values,
      ({ slope }, pair) => (slope * sides[pair]!.chosen.slope) / pairs.length - (cpoAlpha === 0 ? 0 : cpoAlpha / numTokens),
    ),
    rejectedGradient: Float64Array.from(values, ({ slope }, pair) => (-slope * sides[pair]!.rejected.slope) / pairs.length),
    metrics: {
      ...dpoMetrics({
        chosenRewards: sides.map(({ chosen }) => beta * chosen.read),
        rejectedRewards: sides.map(({ rejected }) => beta * rejected.read),
        policyChosenLogProbs: sides.map(({ chosen }) => chosen.logp),
        policyRejectedLogProbs: sides.map(({ rejected }) => rejected.logp),
      }),
      nll_loss: nll,
    },
  };
}

/**
 * ORPO in plain float64: the oracle of `orpoLoss`, where the formula is.
 *
 *   ∂θ/∂a_c = 1/(1 − e^a_c),  ∂θ/∂a_r = −1/(1 − e^a_r),  ∂loss/∂θ = −β σ(−θ) / B
 *
 * Throws LossInputError for lengths that differ.
 *
 * @see arXiv 2403.07691 (ORPO)
 */
export function orpoLossPlain(inputs: OrpoPlainInputs): ReferenceFreePlainResult {
  const { nll, beta = 0.1 } = inputs;
  const pairs = readPairs("orpoLossPlain", inputs);
  const least = 2 ** -126; // a complement of 0 counts as this, without gradient
  const side = ({ sum, length }: Side): { logp: number; logOdds: number; slope: number } => {
    const logp = sum / length;
    const complement = Math.max(-Math.expm1(logp), least);
    return { logp, logOdds: logp - Math.log(complement), slope: (complement === least ? 1 : 1 / complement) / length };
  };
  const sides = pairs.map(({ chosen, rejected }) => ({ chosen: side(chosen), rejected: side(rejected) }));
  const odds = sides.map(({ chosen, rejected }) => chosen.logOdds - rejected.logOdds);
  const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;
  const slopes = odds.map((theta) => (-beta * sigmoid(-theta)) / pairs.length);
  const logOddsRatio = mean(odds.map(logSigmoid));
  return {
    loss: nll - beta * logOddsRatio,
    chosenGradient: Float64Array.from(slopes, (slope, pair) => slope * sides[pair]!.chosen.slope),
    rejectedGradient: Float64Array.from(slopes, (slope, pair) => -slope * sides[pair]!.rejected.slope),
    metrics: {
      ...dpoMetrics({
        chosenRewards: sides.map(({ chosen }) => beta * chosen.logp),
        rejectedRewards: sides.map(({ rejected }) => beta * rejected.logp),
        policyChosenLogProbs: sides.map(({ chosen }) => chosen.logp),
        policyRejectedLogProbs: sides.map(({ rejected }) => rejected.logp),
      }),
      nll_loss: nll,
      log_odds_ratio: logOddsRatio,
      log_odds_chosen: mean(odds),
    },
  };
}

interface Side {
  sum: number;
  length: number;
}

function readPairs(
  operation: string,
  { chosenLogProbs, rejectedLogProbs, chosenLengths, rejectedLengths }: ReferenceFreePlainPairs,
): { chosen: Side; rejected: Side }[] {
  const numPairs = chosenLogProbs.length;
  if (numPairs === 0)
    throw new LossInputError(`${operation}: there are no pairs; expected chosenLogProbs of length ≥ 1, got 0`, { field: "chosenLogProbs" });
  for (const [field, values] of Object.entries({ rejectedLogProbs, chosenLengths, rejectedLengths }))
    if (values.length !== numPairs)
      throw new LossInputError(`${operation}: ${field} has the wrong length; expected ${numPairs}, got ${values.length}`, { field });
  return Array.from({ length: numPairs }, (_, pair) => ({
    chosen: { sum: chosenLogProbs[pair]!, length: Math.max(1, chosenLengths[pair]!) },
    rejected: { sum: rejectedLogProbs[pair]!, length: Math.max(1, rejectedLengths[pair]!) },
  }));
}
