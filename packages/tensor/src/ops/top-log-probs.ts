import { ShapeError } from "../errors.js";
import { mostFewIds } from "../kernels/lib/vocabulary.js";
import { topLogProbsKernel } from "../kernels/top-log-probs.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** The largest `numTop`: each id takes a look at all logits. */
export const maxTopLogProbs = 20;

/** The log-probability of a token, in nats, and the likeliest tokens in its place. */
export interface TokenLogprob {
  id: number;
  logprob: number;
  /** The likeliest first. */
  top: { id: number; logprob: number }[];
}

/**
 * log softmax of logits at an id of each row, and the likeliest ids with theirs, the lowest id first among equals; read with `unpackTopLogProbs`.
 * Not on the tape.
 *
 *   logProb(id) = logits[row, id] − logSumExp(logits[row, :])
 *
 * @param logits  [numRows, vocabSize] f32, finite
 * @param ids     [numRows] u32, each below vocabSize
 * @param numTop  how many of the likeliest: from 0 to 20, at most vocabSize
 * @returns       [numRows, 1 + 2 · numTop] f32: the log-probabilities, that of the id first, then the ids of the likeliest, which f32 holds up to 2^24
 * @throws ShapeError, DtypeError
 */
export function topLogProbs(logits: Tensor, ids: Tensor, numTop: number): Tensor {
  const [numRows, vocabSize] = logits.shape;
  if (logits.shape.length !== 2 || !numRows || !vocabSize)
    throw new ShapeError(`topLogProbs: logits have the wrong shape; expected [numRows, vocabSize], got [${logits.shape.join(", ")}]`);
  expectDtype("topLogProbs", "logits", logits, "f32");
  expectDtype("topLogProbs", "ids", ids, "u32");
  expectShape("topLogProbs", "ids", ids, [numRows]);
  const most = Math.min(maxTopLogProbs, vocabSize);
  if (!Number.isInteger(numTop) || numTop < 0 || numTop > most)
    throw new ShapeError(`topLogProbs: numTop is out of range; expected a whole number from 0 to ${most}, got ${numTop}`);
  const { device } = logits;
  const packed = device.empty([numRows, 1 + 2 * numTop], "f32", "top log-probs");
  topLogProbsKernel.run(device, { logits, ids, packed }, { numRows, vocabSize, numTop }, { fewIds: vocabSize <= mostFewIds });
  return packed;
}

/** What {@link topLogProbs} packed, for each of the ids it was given. */
export function unpackTopLogProbs(packed: Float32Array, ids: ArrayLike<number>): TokenLogprob[] {
  const rowSize = packed.length / ids.length;
  const numTop = (rowSize - 1) / 2;
  return Array.from(ids, (id, row) => {
    const at = row * rowSize;
    const top = Array.from({ length: numTop }, (_, rank) => ({ id: packed[at + 1 + numTop + rank]!, logprob: packed[at + 1 + rank]! }));
    return { id, logprob: packed[at]!, top };
  });
}
