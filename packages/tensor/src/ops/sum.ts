import { defineOp } from "../autograd/define-op.js";
import { outerKernel } from "../kernels/outer.wgsl.js";
import { sumRowsKernel } from "../kernels/sum.wgsl.js";
import { expectDtype, rowsOf, sizeOf, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Sum of all elements, f32 → [] f32. */
export function sum(x: Tensor): Tensor {
  return sumOp({ x }, { inputShape: x.shape, numRows: 1, factor: 1, shape: [] }).output;
}

/** Mean of all elements, f32 → [] f32. */
export function mean(x: Tensor): Tensor {
  return sumOp({ x }, { inputShape: x.shape, numRows: 1, factor: 1 / x.size, shape: [] }).output;
}

/** Sums over the last dimension, f32 [..., n] → [...] f32. */
export function sumLast(x: Tensor): Tensor {
  return sumOp({ x }, { inputShape: x.shape, numRows: rowsOf(x.shape), factor: 1, shape: x.shape.slice(0, -1) }).output;
}

interface Attributes {
  inputShape: Shape;
  /** Rows of the input, each summed to one number. */
  numRows: number;
  factor: number;
  shape: Shape;
}

const sumOp = defineOp("sum", {
  forward({ device }, { x }: { x: Tensor }, { numRows, factor, shape }: Attributes) {
    expectDtype("sum", "x", x, "f32");
    const y = device.empty(shape, "f32", "sum");
    sumRowsKernel.run(device, { x, y }, { numRows, rowSize: x.size / numRows, scale: factor }, {});
    return { output: y, saved: {} };
  },
  // dx[row, col] = factor · dy[row]
  vjp({ device }, _saved, dy, _needs, { inputShape, numRows, factor }) {
    const ones = device.full([sizeOf(inputShape) / numRows], factor, "f32");
    return { x: outer(dy, ones, inputShape) };
  },
});

/** a[i] · b[j] as [a.size, b.size] under another shape. */
function outer(a: Tensor, b: Tensor, shape: Shape): Tensor {
  const y = a.device.empty(shape, "f32", "outer");
  outerKernel.run(a.device, { a, b, y }, { size: y.size, bSize: b.size }, {});
  return y;
}
