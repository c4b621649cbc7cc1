import { defineOp } from "../autograd/define-op.js";
import { ShapeError } from "../errors.js";
import { segmentSumBackwardKernel, segmentSumKernel } from "../kernels/segment-sum.wgsl.js";
import { expectDtype, type Rows } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * Sums of consecutive ranges, added in blocks so that long ranges keep their digits.
 *
 *   y[r] = sum of x[i] over bounds[r] ≤ i < bounds[r + 1]
 *
 * @param x       [n] f32
 * @param bounds  [numRanges + 1] u32, not decreasing, each at most n
 * @returns       [numRanges] f32; an empty range gives 0. Throws ShapeError without bounds
 */
export function segmentSum(x: Tensor, bounds: Tensor): Tensor {
  return segmentSumOp({ x, bounds }, { input: { shape: x.shape, rowCapacity: x.rowCapacity } }).output;
}

const segmentSumOp = defineOp("segmentSum", {
  forward({ device }, { x, bounds }: { x: Tensor; bounds: Tensor }, _attributes: { input: Rows }) {
    expectDtype("segmentSum", "x", x, "f32");
    expectDtype("segmentSum", "bounds", bounds, "u32");
    if (bounds.size < 1) throw new ShapeError("segmentSum: bounds is empty; expected numRanges + 1 elements");
    const numRows = bounds.size - 1;
    const y = device.empty([numRows], "f32", "segmentSum");
    segmentSumKernel.run(device, { x, bounds, y }, { numRows }, {});
    return { output: y, saved: { bounds } };
  },
  // dx[i] = dy of the range of i
  vjp({ device }, { bounds }, dy, _needs, { input }) {
    const dx = device.rowsLike(input, input.shape, "f32", "segmentSum dx");
    segmentSumBackwardKernel.run(device, { dy, bounds, dx }, { size: dx.size, numRows: bounds.size - 1 }, {});
    return { x: dx };
  },
});
