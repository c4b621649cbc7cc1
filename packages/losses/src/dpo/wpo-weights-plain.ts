/** Sums over the tokens y_t of the answers of B pairs of log p(y_t) − log Σ_v p(v)², and how many tokens these are. */
export interface WpoWeightPlainInputs {
  /** [B] nats */
  chosenAlignedLogProbs: ArrayLike<number>;
  /** [B] nats */
  rejectedAlignedLogProbs: ArrayLike<number>;
  /** [B] tokens, 0 counting as 1 */
  chosenLengths: ArrayLike<number>;
  /** [B] tokens */
  rejectedLengths: ArrayLike<number>;
}

/** [B] what WPO multiplies the loss of each pair by, in float64: the oracle of `wpoWeights`, where the formula is. */
export function wpoWeightsPlain(inputs: WpoWeightPlainInputs): Float64Array {
  const { chosenAlignedLogProbs, rejectedAlignedLogProbs, chosenLengths, rejectedLengths } = inputs;
  return Float64Array.from(chosenAlignedLogProbs, (chosen, pair) =>
    Math.exp(chosen / Math.max(1, chosenLengths[pair]!) + rejectedAlignedLogProbs[pair]! / Math.max(1, rejectedLengths[pair]!)),
  );
}
