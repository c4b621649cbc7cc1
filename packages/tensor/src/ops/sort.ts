import { defineOp } from "../autograd/define-op.js";
import { ShapeError } from "../errors.js";
import { sortBackwardKernel, sortKernel } from "../kernels/sort.wgsl.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * The elements of a vector in ascending order; equal ones keep theirs. For the few numbers of a batch: it takes one launch and n² comparisons.
 *
 * @param x  [n] f32
 * @returns  [n] f32, the gradient goes to the element that a value came from; throws ShapeError unless x is a vector
 */
export function sort(x: Tensor): Tensor {
  if (x.shape.length !== 1) throw new ShapeError(`sort: x has the wrong shape; expected [n], got [${x.shape.join(", ")}]`);
  return sortOp({ x }, {}).output;
}

const sortOp = defineOp("sort", {
  forward({ device }, { x }: { x: Tensor }, _attributes: object) {
    expectDtype("sort", "x", x, "f32");
    const y = device.empty(x.shape, "f32", "sort");
    const ranks = device.empty(x.shape, "u32", "sort ranks");
    sortKernel.run(device, { x, y, ranks }, { size: x.size }, {});
    return { output: y, saved: { ranks } };
  },
  // dx[i] = dy[ranks[i]]
  vjp({ device }, { ranks }, dy) {
    const dx = device.empty(dy.shape, "f32", "sort dx");
    sortBackwardKernel.run(device, { dy, ranks, dx }, { size: dy.size }, {});
    return { x: dx };
  },
});
