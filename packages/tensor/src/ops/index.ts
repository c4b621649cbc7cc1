export { add, addInPlace, mul, sub, type ElementwiseOptions } from "./add.js";
export { cast } from "./cast.js";
export { linear, type LinearOptions } from "./linear.js";
export { lowRankAdd, type LowRankAddOptions } from "./low-rank-add.js";
export { mean, sum, sumLast } from "./sum.js";
export { maximum, scale, shift, sigmoid } from "./unary.js";
export { view } from "./view.js";
