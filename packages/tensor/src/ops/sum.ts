import { defineOp } from "../autograd/define-op.js";
import { outerKernel } from "../kernels/outer.wgsl.js";
import { sumRowsKernel } from "../kernels/sum.wgsl.js";
import { expectDtype, rowsOf, sizeOf, type Rows, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { full } from "./full.js";

/** Sum of all elements, f32 → [] f32. */
export function sum(x: Tensor): Tensor {
  return sumOp({ x }, { input: { shape: x.shape, rowCapacity: x.rowCapacity }, numRows: 1, factor: 1, shape: [] }).output;
}

/** Mean of all elements, f32 → [] f32. */
export function mean(x: Tensor): Tensor {
  return sumOp({ x }, { input: { shape: x.shape, rowCapacity: x.rowCapacity }, numRows: 1, factor: 1 / x.size, shape: [] }).output;
}

/** Sums over the last dimension, f32 [..., n] → [...] f32. */
export function sumLast(x: Tensor): Tensor {
  return sumOp(
    { x },
    { input: { shape: x.shape, rowCapacity: x.rowCapacity }, numRows: rowsOf(x.shape), factor: 1, shape: x.shape.slice(0, -1) },
  ).output;
}

interface Attributes {
  input: Rows;
  /** Rows of the input, each summed to one number. */
  numRows: number;
  factor: number;
  shape: Shape;
}

const sumOp = defineOp("sum", {
  forward({ device }, { x }: { x: Tensor }, { numRows, factor, shape }: Attributes) {
    expectDtype("sum", "x", x, "f32");
    const y = device.rowsLike(x, shape, "f32", "sum");
    sumRowsKernel.run(device, { x, y }, { numRows, rowSize: x.size / numRows, scale: factor }, {});
    return { output: y, saved: {} };
  },
  // dx[row, col] = factor · dy[row]
  vjp({ device }, _saved, dy, _needs, { input, numRows, factor }) {
    const ones = full(device, [sizeOf(input.shape) / numRows], factor, "f32");
    return { x: outer(dy, ones, input) };
  },
});

/** a[i] · b[j] as [a.size, b.size] under the shape of `rows`. */
function outer(a: Tensor, b: Tensor, rows: Rows): Tensor {
  const y = a.device.rowsLike(rows, rows.shape, "f32", "outer");
  outerKernel.run(a.device, { a, b, y }, { size: y.size, bSize: b.size }, {});
  return y;
}
