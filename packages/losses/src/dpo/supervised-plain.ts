import type { PlainPairLoss } from "./pairs-plain.js";

/** −log π(y|x) / (mean length of the chosen answers);  d/d log π(y|x) = −1 / (mean length). */
export const sftPlain: PlainPairLoss = (pairs) => {
  const meanLength = pairs.reduce((total, { chosen }) => total + chosen.length, 0) / pairs.length;
  return pairs.map(({ chosen }) => ({ loss: -chosen.policy / meanLength, dChosen: -1 / meanLength, dRejected: 0 }));
};
