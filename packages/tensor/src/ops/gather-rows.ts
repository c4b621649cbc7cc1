import { defineOp } from "../autograd/define-op.js";
import { shapeOfLeading } from "../autograd/gradient-rows.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { gatherRowsKernel, writeRowsKernel } from "../kernels/rows-by-index.wgsl.js";
import { expectDtype, type Rows } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * Some rows of a matrix: y[i] = x[indices[i]]. The gradient of the other rows is 0.
 *
 * @param x        [numRows, n] f32 | f16
 * @param indices  [numIndices] u32, strictly increasing, each below numRows
 * @returns        [numIndices, n] in the dtype of x; throws ShapeError unless x is a matrix
 */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  return gatherRowsOp({ x, indices }, { input: shapeOfLeading(x, x.gradientRows) }).output;
}

const gatherRowsOp = defineOp("gatherRows", {
  forward({ device }, { x, indices }: { x: Tensor; indices: Tensor }, _attributes: { input: Rows }) {
    expectDtype("gatherRows", "x", x, "f32", "f16");
    expectDtype("gatherRows", "indices", indices, "u32");
    const [numSourceRows, rowSize] = x.shape;
    if (x.shape.length !== 2 || !numSourceRows || !rowSize)
      throw new ShapeError(`gatherRows: x has the wrong shape; expected [numRows, n], got [${x.shape.join(", ")}]`);
    const dtype = x.dtype as FloatDtype;
    const y = device.rowsLike(indices, [indices.size, rowSize], dtype, "gatherRows");
    gatherRowsKernel.run(device, { x, indices, y }, { size: y.size, rowSize, numSourceRows }, { xType: dtype, dtype });
    return { output: y, saved: { indices } };
  },
  // dx[indices[i]] = dy[i], else 0, in the rows that take gradients
  vjp({ device }, { indices }, dy, _needs, { input }) {
    const [numTargetRows, rowSize] = input.shape as [number, number];
    const dx = device.zeros(input.shape, "f32", "gatherRows dx", input.rowCapacity);
    writeRowsKernel.run(device, { x: dy, indices, y: dx }, { size: dy.size, rowSize, numTargetRows }, { xType: "f32", dtype: "f32" });
    return { x: dx };
  },
});
