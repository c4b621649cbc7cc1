import type { FloatDtype } from "../dtype.js";
import { binaryKernel, type BinaryFunction } from "../kernels/elementwise.wgsl.js";
import { packingOf } from "../kernels/lib/vector.js";
import type { Tensor } from "../tensor.js";

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
