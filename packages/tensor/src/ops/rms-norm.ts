import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import { rmsNormBackwardKernel, rmsNormWeightBackwardKernel } from "../kernels/rms-norm-backward.wgsl.js";
import { rmsNormKernel } from "../kernels/rms-norm.wgsl.js";
import { expectDtype, expectShape, rowsOf } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { sumColumns } from "./sum-columns.js";

/** Options of `rmsNorm`. */
export interface RmsNormOptions {
  /** Added to the mean square. */
  eps: number;
  /** Storage of the result; default f32. */
  dtype?: FloatDtype;
}

/** Rows that one thread adds up in the first stage of dWeight. */
const blockRows = 64;

/**
 * Root-mean-square normalisation of each row.
 *
 *   y[row, col] = x[row, col] · rstd[row] · weight[col],  rstd[row] = 1 / sqrt(mean over col of x² + eps)
 *
 * @param x       [..., n] f32 | f16
 * @param weight  [n] f32
 * @returns       shape of x in `dtype`; throws ShapeError unless weight has one element per column
 */
export function rmsNorm(x: Tensor, weight: Tensor, { eps, dtype = "f32" }: RmsNormOptions): Tensor {
  return rmsNormOp({ x, weight }, { eps, dtype }).output;
}

const rmsNormOp = defineOp("rmsNorm", {
  rows: ["x", "rstd"],
  forward({ device }, { x, weight }: { x: Tensor; weight: Tensor }, { eps, dtype }: { eps: number; dtype: FloatDtype }) {
    expectDtype("rmsNorm", "x", x, "f32", "f16");
    expectDtype("rmsNorm", "weight", weight, "f32");
    expectShape("rmsNorm", "weight", weight, [x.shape.at(-1) ?? 1]);
    const numRows = rowsOf(x.shape);
    const y = device.rowsLike(x, x.shape, dtype, "rmsNorm");
    const rstd = device.rowsLike(x, x.shape.slice(0, -1), "f32", "rmsNorm rstd");
    rmsNormKernel.run(device, { x, weight, y, rstd }, { numRows, rowSize: weight.size, eps }, { xType: x.dtype as FloatDtype, dtype });
    return { output: y, saved: { x, weight, rstd } };
  },
  // dx = rstd · (dy·w − x · rstd² · mean(dy·w·x));  dw = sum over rows of dy · x · rstd
  vjp({ device }, { x, weight, rstd }, dy, needs) {
    const numRows = rstd.size;
    const rowSize = weight.size;
    const xType = x.dtype as FloatDtype;
    const dx = needs.x && device.rowsLike(x, x.shape, "f32", "rmsNorm dx");
    if (dx) rmsNormBackwardKernel.run(device, { x, weight, rstd, dy, dx }, { numRows, rowSize }, { xType });
    const part = needs.weight && device.empty([Math.ceil(numRows / blockRows), rowSize], "f32", "rmsNorm dWeight parts");
    if (part) rmsNormWeightBackwardKernel.run(device, { x, rstd, dy, part }, { numRows, rowSize, blockRows }, { xType });
    return { x: dx, weight: part && sumColumns(part, rowSize, weight.shape) };
  },
});
