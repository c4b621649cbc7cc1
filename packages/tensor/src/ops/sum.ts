import { defineOp } from "../autograd/define-op.js";
import { outerKernel } from "../kernels/outer.wgsl.js";
import { sumRowsKernel } from "../kernels/sum.wgsl.js";
import { expectDtype, rowsOf } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Sum of all elements, f32 → [] f32. */
export function sum(x: Tensor): Tensor {
  return sumOp({ x }, { numRows: 1, factor: 1, shape: [] }).output;
}

/** Mean of all elements, f32 → [] f32. */
export function mean(x: Tensor): Tensor {
  return sumOp({ x }, { numRows: 1, factor: 1 / x.size, shape: [] }).output;
}

/** Sums over the last dimension, f32 [..., n] → [...] f32. */
export function sumLast(x: Tensor): Tensor {
  return sumOp({ x }, { numRows: rowsOf(x.shape), factor: 1, shape: x.shape.slice(0, -1) }).output;
}

const sumOp = defineOp("sum", {
  forward({ device }, { x }: { x: Tensor }, { numRows, factor, shape }: { numRows: number; factor: number; shape: readonly number[] }) {
    expectDtype("sum", "x", x, "f32");
    const y = device.empty(shape, "f32", "sum");
    sumRowsKernel.run(device, { x, y }, { numRows, rowSize: x.size / numRows, scale: factor }, {});
    return { output: y, saved: { x } };
  },
  // dx[row, col] = factor · dy[row]
  vjp({ device }, { x }, dy, _needs, { numRows, factor }) {
    const ones = device.full([x.size / numRows], factor, "f32");
    return { x: outer(dy, ones, x.shape) };
  },
});

/** a[i] · b[j] as [a.size, b.size] under another shape. */
function outer(a: Tensor, b: Tensor, shape: readonly number[]): Tensor {
  const y = a.device.empty(shape, "f32", "outer");
  outerKernel.run(a.device, { a, b, y }, { size: y.size, bSize: b.size }, {});
  return y;
}
