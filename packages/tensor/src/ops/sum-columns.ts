import { sumColumnsKernel, sumRowsKernel } from "../kernels/sum.wgsl.js";
import type { Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Sums x, read as [x.size / size, size], over its rows; outside the tape. Rows are added in order, so a run repeats bit for bit. */
export function sumColumns(x: Tensor, size: number, shape: Shape): Tensor {
  const y = x.device.empty(shape, "f32", "sumColumns");
  if (size === 1) sumRowsKernel.run(x.device, { x, y }, { numRows: 1, rowSize: x.size, scale: 1 }, {});
  else sumColumnsKernel.run(x.device, { x, y }, { numRows: x.size / size, rowSize: size }, {});
  return y;
}
