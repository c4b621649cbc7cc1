export { add, addInPlace, mul, sub, type ElementwiseOptions } from "./add.js";
export { cast } from "./cast.js";
export { linear, type LinearOptions } from "./linear.js";
export { lowRankAdd, type LowRankAddOptions } from "./low-rank-add.js";
export { mean, sum, sumLast } from "./sum.js";
export { maximum, scale, shift, sigmoid } from "./unary.js";
export { view } from "./view.js";
export { causalAttention, segmentBounds, type CausalAttentionOptions, type SegmentBounds } from "./causal-attention.js";
export { rope, ropeTables, type RopeOptions, type RopeTableOptions, type RopeTables } from "./rope.js";
