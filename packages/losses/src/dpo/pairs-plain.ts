import type { PlainScore } from "./f-divergence-plain.js";
import type { PairLossOptions } from "./options.js";

/** One answer of a pair. */
export interface PlainAnswer {
  /** log π(y|x), nats */
  policy: number;
  /** log ρ(y|x), nats */
  reference: number;
  /** policy − reference */
  logRatio: number;
  /** Of the log-ratio. */
  score: PlainScore;
  /** Tokens, at least 1. */
  length: number;
}

export interface PlainPair {
  chosen: PlainAnswer;
  rejected: PlainAnswer;
}

/** The loss of a pair, and the derivatives of the sum of all by its two log-ratios (those by the policy's log-probabilities are the same). */
export interface PairValue {
  loss: number;
  dChosen: number;
  dRejected: number;
}

/** The plain twin of a `PairLoss`. */
export type PlainPairLoss = (pairs: readonly PlainPair[], options: PairLossOptions) => PairValue[];

/** A loss of each pair's two scores; `loss` gives the derivatives by them. */
export function onScoresPlain(loss: (pair: PlainPair, options: PairLossOptions) => PairValue): PlainPairLoss {
  return (pairs, options) =>
    pairs.map((pair) => {
      const value = loss(pair, options);
      return { ...value, dChosen: value.dChosen * pair.chosen.score.slope, dRejected: value.dRejected * pair.rejected.score.slope };
    });
}

/** A loss of z = β · (s(c) − s(r)) alone; `loss` gives the derivative by z. */
export function onMarginsPlain(loss: (z: number, options: PairLossOptions) => { loss: number; slope: number }): PlainPairLoss {
  return onScoresPlain(({ chosen, rejected }, options) => {
    const value = loss(options.beta * (chosen.score.value - rejected.score.value), options);
    return { loss: value.loss, dChosen: options.beta * value.slope, dRejected: -options.beta * value.slope };
  });
}
