import { logSigmoid, mean, mul, scale, shift, sub, type Tensor } from "@kto/tensor";

/**
 * Liked answers should gain `margin` / `beta` nats on the reference, disliked ones lose as much:
 *
 *   loss = −mean over rows of log σ(beta · sign · (policyLogProbs − refLogProbs) − margin)
 *
 * @param policyLogProbs  [rows] f32, nats, on the tape
 * @param refLogProbs     [rows] f32, nats
 * @param signs           [rows] f32: 1 for a liked answer, −1 for a disliked one
 * @returns               [] f32
 */
export function marginLoss(policyLogProbs: Tensor, refLogProbs: Tensor, signs: Tensor, { beta = 1, margin = 1 } = {}): Tensor {
  const gains = mul(sub(policyLogProbs, refLogProbs), signs); // [rows]
  return scale(mean(logSigmoid(shift(scale(gains, beta), -margin))), -1);
}
