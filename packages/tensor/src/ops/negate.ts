import { unaryKernel } from "../kernels/elementwise.wgsl.js";
import type { Tensor } from "../tensor.js";

/** −x, f32, outside the tape. */
export function negate(x: Tensor): Tensor {
  const y = x.device.rowsLike(x, x.shape, "f32", "negate");
  unaryKernel.run(x.device, { x, y }, { size: x.size, p: -1, q: 0 }, { fn: "scale" });
  return y;
}
