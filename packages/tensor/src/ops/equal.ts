import { equalKernel } from "../kernels/equal.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * 1 where two ids are one, else 0, outside the tape.
 *
 * @param a, b  u32, of one shape
 * @returns     f32 of that shape; throws ShapeError if they differ, DtypeError
 */
export function equal(a: Tensor, b: Tensor): Tensor {
  expectDtype("equal", "a", a, "u32");
  expectDtype("equal", "b", b, "u32");
  expectShape("equal", "b", b, a.shape);
  const y = a.device.rowsLike(a, a.shape, "f32", "equal");
  equalKernel.run(a.device, { a, b, y }, { size: a.size }, {});
  return y;
}
