import { logSigmoid, sigmoid } from "../scalars.js";
import type { PairLossOptions } from "./options.js";
import type { PairValue, PlainPair, PlainPairLoss } from "./pairs-plain.js";

/** `aot`: the gradient of place i, −β ((1 − ε) σ(−z) − ε σ(z)), goes to the pair whose policy difference came there. */
export const aotPlain: PlainPairLoss = (pairs, options) => {
  const policy = sorted(pairs, ({ chosen, rejected }) => chosen.policy - rejected.policy);
  const reference = sorted(pairs, ({ chosen, rejected }) => chosen.reference - rejected.reference);
  return placed(policy, reference, options, { chosen: policy, rejected: policy });
};

/** `aot_unpaired`: that of place i goes to the answers whose log-ratios came there. */
export const aotUnpairedPlain: PlainPairLoss = (pairs, options) => {
  const chosen = sorted(pairs, (pair) => pair.chosen.logRatio);
  const rejected = sorted(pairs, (pair) => pair.rejected.logRatio);
  return placed(chosen, rejected, options, { chosen, rejected });
};

interface Place {
  value: number;
  /** Which pair it is of. */
  pair: number;
}

/** In ascending order; equal ones keep theirs. */
function sorted(pairs: readonly PlainPair[], of: (pair: PlainPair) => number): Place[] {
  return pairs.map((pair, index) => ({ value: of(pair), pair: index })).sort((a, b) => a.value - b.value || a.pair - b.pair);
}

/** Losses of the places, with the gradient of each at the pairs that `receivers` name. */
function placed(
  larger: readonly Place[],
  smaller: readonly Place[],
  { beta, labelSmoothing: e }: PairLossOptions,
  receivers: { chosen: readonly Place[]; rejected: readonly Place[] },
): PairValue[] {
  const values = larger.map((): PairValue => ({ loss: 0, dChosen: 0, dRejected: 0 }));
  larger.forEach(({ value }, place) => {
    const z = beta * (value - smaller[place]!.value);
    const slope = -beta * ((1 - e) * sigmoid(-z) - e * sigmoid(z));
    values[place]!.loss = -(1 - e) * logSigmoid(z) - e * logSigmoid(-z);
    values[receivers.chosen[place]!.pair]!.dChosen = slope;
    values[receivers.rejected[place]!.pair]!.dRejected = -slope;
  });
  return values;
}
