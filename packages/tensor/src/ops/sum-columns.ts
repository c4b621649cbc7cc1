import { sumColumnsKernel, sumRowsKernel } from "../kernels/sum.wgsl.js";
import type { Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { cast } from "./cast.js";

/** Rows that one thread adds up; more are added in stages, so that many rows keep the device busy and long sums keep their digits. */
const blockRows = 64;

/** Sums x (f32 | f16), read as [x.size / size, size], over its rows in f32; outside the tape. The order of adding is fixed, so a run repeats bit for bit. */
export function sumColumns(x: Tensor, size: number, shape: Shape): Tensor {
  if (x.dtype === "f16") return sumColumns(cast(x.detach(), "f32"), size, shape);
  if (size === 1) {
    const y = x.device.empty(shape, "f32", "sumColumns");
    sumRowsKernel.run(x.device, { x, y }, { numRows: 1, rowSize: x.size, scale: 1 }, {});
    return y;
  }
  const numRows = x.size / size;
  if (numRows === 0) return x.device.zeros(shape, "f32", "sumColumns");
  const numBlocks = Math.ceil(numRows / blockRows);
  const y = x.device.empty(numBlocks > 1 ? [numBlocks, size] : shape, "f32", "sumColumns");
  sumColumnsKernel.run(x.device, { x, y }, { numRows, rowSize: size, blockRows }, {});
  return numBlocks > 1 ? sumColumns(y, size, shape) : y;
}
