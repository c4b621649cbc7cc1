import { logSigmoid, sigmoid } from "../scalars.js";
import { onMarginsPlain, onScoresPlain, type PlainPairLoss } from "./pairs-plain.js";

/** −log σ(z);  d/dz = −σ(−z). */
export const sigmoidPlain: PlainPairLoss = onMarginsPlain((z) => ({ loss: -logSigmoid(z), slope: -sigmoid(-z) }));

/** −log σ(βu), u = s(c)/lengthChosen − s(r)/lengthRejected;  d/ds(c) = −β σ(−βu)/lengthChosen, d/ds(r) = β σ(−βu)/lengthRejected. */
export const sigmoidNormPlain: PlainPairLoss = onScoresPlain(({ chosen, rejected }, { beta }) => {
  const z = beta * (chosen.score.value / chosen.length - rejected.score.value / rejected.length);
  const slope = -beta * sigmoid(-z);
  return { loss: -logSigmoid(z), dChosen: slope / chosen.length, dRejected: -slope / rejected.length };
});

/** [−(1 − ε) log σ(z) + ε log σ(−z)] / (1 − 2ε);  d/dz = −[(1 − ε) σ(−z) + ε σ(z)] / (1 − 2ε). */
export const robustPlain: PlainPairLoss = onMarginsPlain((z, { labelSmoothing: e }) => ({
  loss: (-(1 - e) * logSigmoid(z) + e * logSigmoid(-z)) / (1 - 2 * e),
  slope: -((1 - e) * sigmoid(-z) + e * sigmoid(z)) / (1 - 2 * e),
}));

/** p (log p − log(1 − ε)) + q (log q − log ε), p = σ(z), q = σ(−z);  d/dz = p q (z − log((1 − ε)/ε)). */
export const exoPairPlain: PlainPairLoss = onMarginsPlain((z, { labelSmoothing: e }) => {
  const [p, q] = [sigmoid(z), sigmoid(-z)];
  return {
    loss: p * (logSigmoid(z) - Math.log1p(-e)) + q * (logSigmoid(-z) - Math.log(e)),
    slope: p * q * (z - Math.log((1 - e) / e)),
  };
});

/** (1 − m) · −log σ(z) + m e^(−z), m = σ(z/τ);  d/dz = m (1 − m) (log σ(z) + e^(−z))/τ − (1 − m) σ(−z) − m e^(−z). */
export const discopopPlain: PlainPairLoss = onMarginsPlain((z, { discopopTau: tau }) => {
  const [m, other] = [sigmoid(z / tau), sigmoid(-z / tau)];
  const power = Math.min(Math.exp(-z), Number.MAX_VALUE); // 0 · ∞ is no number
  return {
    loss: -other * logSigmoid(z) + m * power,
    slope: (m * other * (logSigmoid(z) + power)) / tau - other * sigmoid(-z) - m * power,
  };
});
