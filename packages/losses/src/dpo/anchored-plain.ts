import { logSigmoid, sigmoid } from "../scalars.js";
import { onScoresPlain, type PlainPairLoss } from "./pairs-plain.js";

/** −log σ(βs(c)) − ½ log σ(−βs(c)) − ½ log σ(−βs(r));  d/ds(c) = β (½ σ(βs(c)) − σ(−βs(c))), d/ds(r) = ½ β σ(βs(r)). */
export const ncaPairPlain: PlainPairLoss = onScoresPlain(({ chosen, rejected }, { beta }) => {
  const [up, down] = [beta * chosen.score.value, beta * rejected.score.value];
  return {
    loss: -logSigmoid(up) - 0.5 * logSigmoid(-up) - 0.5 * logSigmoid(-down),
    dChosen: beta * (0.5 * sigmoid(up) - sigmoid(-up)),
    dRejected: 0.5 * beta * sigmoid(down),
  };
});

/** −log σ(βs(c)) − log σ(−βs(r));  d/ds(c) = −β σ(−βs(c)), d/ds(r) = β σ(βs(r)). */
export const bcoPairPlain: PlainPairLoss = onScoresPlain(({ chosen, rejected }, { beta }) => {
  const [up, down] = [beta * chosen.score.value, beta * rejected.score.value];
  return { loss: -logSigmoid(up) - logSigmoid(-down), dChosen: -beta * sigmoid(-up), dRejected: beta * sigmoid(down) };
});

/** (1 − σ(βc)) + σ(βr);  d/dc = −β σ(βc) σ(−βc), d/dr = β σ(βr) σ(−βr). */
export const apoZeroPlain: PlainPairLoss = (pairs, { beta }) =>
  pairs.map(({ chosen, rejected }) => {
    const [up, down] = [beta * chosen.logRatio, beta * rejected.logRatio];
    return {
      loss: sigmoid(-up) + sigmoid(down),
      dChosen: -beta * sigmoid(up) * sigmoid(-up),
      dRejected: beta * sigmoid(down) * sigmoid(-down),
    };
  });

/** σ(βc) + (1 − σ(z)), z = β (s(c) − s(r));  d/dc = β σ(βc) σ(−βc) − β σ(z) σ(−z) ds(c)/dc, d/dr = β σ(z) σ(−z) ds(r)/dr. */
export const apoDownPlain: PlainPairLoss = (pairs, { beta }) =>
  pairs.map(({ chosen, rejected }) => {
    const up = beta * chosen.logRatio;
    const z = beta * (chosen.score.value - rejected.score.value);
    const slope = beta * sigmoid(z) * sigmoid(-z);
    return {
      loss: sigmoid(up) + sigmoid(-z),
      dChosen: beta * sigmoid(up) * sigmoid(-up) - slope * chosen.score.slope,
      dRejected: slope * rejected.score.slope,
    };
  });
