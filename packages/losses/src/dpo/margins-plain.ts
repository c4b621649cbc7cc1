import { onMarginsPlain, onScoresPlain, type PlainPairLoss } from "./pairs-plain.js";

/** max(0, 1 − z);  d/dz = −1 where z < 1, else 0. */
export const hingePlain: PlainPairLoss = onMarginsPlain((z) => ({ loss: Math.max(0, 1 - z), slope: z < 1 ? -1 : 0 }));

/** (u − 1/(2β))², u = s(c)/lengthChosen − s(r)/lengthRejected;  d/ds(c) = 2 (u − 1/(2β))/lengthChosen, d/ds(r) = −2 (u − 1/(2β))/lengthRejected. */
export const ipoPlain: PlainPairLoss = onScoresPlain(({ chosen, rejected }, { beta }) => {
  const distance = chosen.score.value / chosen.length - rejected.score.value / rejected.length - 1 / (2 * beta);
  return { loss: distance ** 2, dChosen: (2 * distance) / chosen.length, dRejected: (-2 * distance) / rejected.length };
});

/** (s(c) − 1/(2β))² + (s(r) + 1/(2β))²;  d/ds(c) = 2 (s(c) − 1/(2β)), d/ds(r) = 2 (s(r) + 1/(2β)). */
export const sppoHardPlain: PlainPairLoss = onScoresPlain(({ chosen, rejected }, { beta }) => {
  const [up, down] = [chosen.score.value - 1 / (2 * beta), rejected.score.value + 1 / (2 * beta)];
  return { loss: up ** 2 + down ** 2, dChosen: 2 * up, dRejected: 2 * down };
});
