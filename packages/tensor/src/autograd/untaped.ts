import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { addInPlaceKernel, castKernel } from "../kernels/elementwise.wgsl.js";
import { packingOf } from "../kernels/lib/vector.js";
import type { Tensor } from "../tensor.js";

/** target += scale · addend, outside the tape; same size. Throws ShapeError if it differs. */
export function addInPlace(target: Tensor, addend: Tensor, scale = 1): void {
  if (target.size !== addend.size) throw new ShapeError(`addInPlace: sizes differ; expected ${target.size} elements, got ${addend.size}`);
  const { count, of } = packingOf(target.size);
  addInPlaceKernel.run(
    target.device,
    { a: target, b: addend },
    { count, scale },
    { aType: of(target.dtype as FloatDtype), bType: of(addend.dtype as FloatDtype) },
  );
}

/** x, which is f32 or f16, rounded to another dtype in a tensor of its own, outside the tape. */
export function converted(x: Tensor, dtype: FloatDtype): Tensor {
  const y = x.device.rowsLike(x, x.shape, dtype, "cast");
  const { count, of } = packingOf(x.size);
  castKernel.run(x.device, { x, y }, { count }, { xType: of(x.dtype as FloatDtype), dtype: of(dtype) });
  return y;
}
