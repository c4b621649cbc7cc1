import type { FloatDtype } from "../dtype.js";
import { binaryKernel } from "../kernels/elementwise.wgsl.js";
import type { BinaryFunction } from "../kernels/lib/elementwise-functions.js";
import { packingOf } from "../kernels/lib/vector.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { repeatedShape } from "./repeat.js";

/** Records y = fn(a, b) element by element, outside the tape; a and b repeat until y is full. Shapes are the caller's to check. */
export function applyBinary(fn: BinaryFunction, { a, b, y }: { a: Tensor; b: Tensor; y: Tensor }): void {
  const { count, lanes, of } = packingOf(y.size, a.size, b.size);
  binaryKernel.run(
    y.device,
    { a, b, y },
    { count, aCount: a.size / lanes, bCount: b.size / lanes },
    { fn, aType: of(a.dtype as FloatDtype), bType: of(b.dtype as FloatDtype), dtype: of(y.dtype as FloatDtype) },
  );
}

/** fn(a, b) in a new tensor, outside the tape; the smaller operand repeats. Throws DtypeError, and ShapeError if it does not repeat into the other. */
export function binary(fn: BinaryFunction, a: Tensor, b: Tensor, dtype: FloatDtype): Tensor {
  expectDtype(fn, "a", a, "f32", "f16");
  expectDtype(fn, "b", b, "f32", "f16");
  const y = a.device.rowsLike(a.size >= b.size ? a : b, repeatedShape(fn, a, b), dtype, fn);
  applyBinary(fn, { a, b, y });
  return y;
}
