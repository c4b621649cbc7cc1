export { Linear, type LinearAdapter, type LinearModule } from "./linear.js";
export { ParameterBucket, type ParameterShape } from "./parameter-bucket.js";
