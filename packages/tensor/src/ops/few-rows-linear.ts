import { ShapeError } from "../errors.js";
import { fewRowsMatrixKernel } from "../kernels/few-rows-matrix.wgsl.js";
import type { Tensor } from "../tensor.js";
import { fewRowsLaunch, plainFewRows, sizesOf, type FewRowsPart } from "./few-rows-launch.js";
import {
  fewRowsLayout,
  fewRowsMatrixSpec,
  goesToMatrices,
  halfInput,
  mostFewRows,
  sharedBuffer,
  threeOf,
  type FewRowsInput,
} from "./few-rows-layout.js";
import { isJoined, manyRowsLinear } from "./many-rows-linear.js";

/**
 * Linear layers of one input, for a few rows, in one launch (with low-rank updates two): their results side by side, or those of gate and up multiplied. Sums in
 * f32, rounded once. Several rows of f16 weights go to matrix units, after a launch for the norm. More than 32 rows are an ordinary product, if the matrices lie
 * one after another, with at most a launch before it and one after. Not on the tape.
 *
 * @param parts  one to three matrices of the same k, a multiple of 8, in one buffer; each n a multiple of 4
 * @returns      [numRows, sum of n], with swiGlu [numRows, n], in `dtype`; undefined, and nothing recorded, where the parts are not of that kind
 */
export function fewRowsLinear(parts: readonly FewRowsPart[], input: FewRowsInput): Tensor | undefined {
  const { x } = input;
  const sized = sizesOf(parts);
  const layout = fewRowsLayout(sized, input);
  const matrices = parts.map(({ weight }) => weight);
  const weights = sharedBuffer(matrices);
  if (!layout || !weights) return undefined;
  if (x.shape[1] !== sized[0]!.inFeatures)
    throw new ShapeError(`fewRowsLinear: inner dimensions differ; expected ${sized[0]!.inFeatures}, got ${x.shape[1]}`);
  if (x.shape[0]! > mostFewRows) return isJoined(matrices, weights) ? manyRowsLinear(sized, weights.whole, input, layout) : undefined;
  const { device } = x;
  const isOnMatrices = weights.whole.dtype === "f16" && goesToMatrices(sized, input, device.recorder.variants.get("fewRowsMatrix"));
  if (!isOnMatrices) return plainFewRows(sized, weights, input, layout);
  const halved = { ...input, ...halfInput(input) };
  const run = fewRowsLaunch(sized, halved, layout);
  const starts = threeOf("weight", weights.starts);
  const spec = { ...fewRowsMatrixSpec(halved, layout), weightElement: "vec4<u32>" } as const;
  fewRowsMatrixKernel.run(device, { ...run.bindings, weight: weights.whole }, { ...run.params, ...starts }, spec);
  return run.y;
}
