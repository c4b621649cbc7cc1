export { Linear, type LinearAdapter, type LinearModule, type LowRankDelta } from "./linear.js";
export { ParameterBucket, type ParameterShape } from "./parameter-bucket.js";
