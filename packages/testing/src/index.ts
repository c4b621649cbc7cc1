export { checkOp, type OpCase, type OpCheck } from "./check/check-op.js";
export { indices, Numbers, roundTo, type Arrays, type ErrorClass, type OpInput } from "./check/case.js";
export {
  expectClose,
  expectSmallError,
  gemmTolerance,
  gradientFactor,
  meanAbsDifference,
  normalizedMeanSquareError,
  toleranceOf,
  type ExpectCloseOptions,
  type Storage,
  type Tolerance,
} from "./tolerances.js";
