import { exp, mul, scale, sum, type Tensor } from "@kto/tensor";
import { checkSftInputs } from "./check-sft-inputs.js";
import type { SftLossType } from "./sft-loss-types.js";

/** Log-probabilities of the scored tokens of a batch on the device, and what their sum is divided by. */
export interface SftLossInputs {
  /** [numTokens] f32 nats, log π(token | what stands before it), of scored tokens; the gradient flows here */
  tokenLogProbs: Tensor;
  /** Scored tokens that the loss is a mean over: those of the whole update, on all devices, of which these may be a part. */
  numItemsInBatch: number;
  /** default "nll" */
  lossType?: SftLossType;
}

/**
 * Cross-entropy of supervised fine-tuning, recorded on the device.
 *
 *   nll:  −Σ log π(t) / numItemsInBatch                     to begin with: likelihood of every scored token
 *   dft:  −Σ π(t) · log π(t) / numItemsInBatch, the π(t) in front a constant for the gradient
 *
 * dft takes weight off tokens that the model finds unlikely, so that a few strange ones do not pull it away from what it knows: to try where fine-tuning on
 * answers of others makes a model worse elsewhere. A batch in parts: the losses of its parts, each divided by the tokens of the whole, add up to its loss.
 *
 * @returns  [] f32, on the tape; throws LossInputError for a `numItemsInBatch` below 1 and an unknown `lossType`
 * @see arXiv 2508.05629 (dynamic fine-tuning); trl 1.16, SFTTrainer
 */
export function sftLoss({ tokenLogProbs, numItemsInBatch, lossType = "nll" }: SftLossInputs): Tensor {
  checkSftInputs("sftLoss", { lossType, numItemsInBatch });
  return tokenLogProbs.device.scope("sftLoss", () => {
    const terms = lossType === "dft" ? mul(exp(tokenLogProbs.detach()), tokenLogProbs) : tokenLogProbs; // [numTokens]
    return scale(sum(terms), -1 / numItemsInBatch);
  });
}
