export { nothingOverflowed, writeBfloat16, type Bfloat16Target } from "./bfloat16.js";
export type { Columns } from "./columns.js";
export { collect } from "./collect.js";
export { concat } from "./concat.js";
export { dropoutMask, type DropoutMaskOptions } from "./dropout-mask.js";
export { addInPlace } from "../autograd/untaped.js";
export { add, mul, sub, type ElementwiseOptions } from "./add.js";
export { cast } from "./cast.js";
export { div } from "./div.js";
export { checksum } from "./checksum.js";
export { equal } from "./equal.js";
export { full } from "./full.js";
export { linear, type LinearOptions } from "./linear.js";
export { lowRankAdd, type LowRankAddOptions } from "./low-rank-add.js";
export { mean, sum, sumLast } from "./sum.js";
export { clamp, exp, log, logOneMinusExp, logSigmoid, maximum, scale, shift, sigmoid } from "./unary.js";
export { view } from "./view.js";
export { where } from "./where.js";
export { prefixBounds, type Prefix } from "./prefix-bounds.js";
export { causalAttention, segmentBounds, type CausalAttentionOptions, type SegmentBounds } from "./causal-attention.js";
export { rope, ropeTables, type RopeOptions, type RopeTableOptions, type RopeTables } from "./rope.js";
export { adamwHyper, adamwHyperSize, adamwStep, clipFactor, gradNorm, type AdamwHyperparameters, type AdamwStep } from "./adamw.js";
export {
  adamw8bitHyper,
  adamw8bitMaps,
  adamw8bitStep,
  adamwBlockStep,
  type Adamw8bitStep,
  type AdamwBlockStep,
  type AdamwBlockTensors,
} from "./adamw-8bit.js";
export { embedding } from "./embedding.js";
export { gatherRows } from "./gather-rows.js";
export { linearLogProbs, type LinearLogProbs, type LinearLogProbsOptions, type LogProbsMetrics } from "./linear-log-probs.js";
export { rmsNorm, type RmsNormOptions } from "./rms-norm.js";
export { segmentSum } from "./segment-sum.js";
export { sort } from "./sort.js";
export { swiGlu } from "./swi-glu.js";
export {
  adaptedLinear,
  adaptedLinears,
  areAdaptedLinears,
  isAdaptedLinear,
  type AdaptedLayer,
  type AdaptedLinearInputs,
} from "./adapted-linear.js";
export type { FrozenMatrix } from "./adapted-linear-op.js";
export { gemm, type Gemm, type LowRankProduct, type Peaks, pipelines } from "./gemm.js";
export { emptyPeaks, isSkinny, skinnyProduct, type SkinnyProduct, type SkinnyTarget } from "./skinny-product.js";
export { sumColumns } from "./sum-columns.js";
export { packSamplingSettings, packSeen, sample, type Sampled, sampledProbabilities, type SamplingSettings, seenSize } from "./sample.js";
export { maxTopLogProbs, type TokenLogprob, topLogProbs, unpackTopLogProbs } from "./top-log-probs.js";
export { type CachedKeys, decodeAttention, type DecodeAttentionOptions, type DecodeInputs, writeRows } from "./decode-attention.js";
export {
  columnsOf,
  fewRowsLayout,
  type FewRowsInput,
  type FewRowsLayout,
  fewRowsMatrixSpec,
  type FewRowsSize,
  goesToMatrices,
  halfInput,
  isHalfProduct,
  matrixRows,
  mostFewRows,
  sharedBuffer,
  threeOf,
} from "./few-rows-layout.js";
export { fewRowsLaunch, type FewRowsPart, plainLaunch } from "./few-rows-launch.js";
export { fewRowsLinear } from "./few-rows-linear.js";
export type { LowRankAhead } from "./low-rank-ahead.js";
export { manyRowsLinear } from "./many-rows-linear.js";
export { type KeptRows, type ProjectedTokens, rotateRows, type RotateRowsOptions } from "./rotate-rows.js";
