import type { FloatDtype } from "../dtype.js";
import { matmulKernel } from "../kernels/matmul.wgsl.js";
import type { Tensor } from "../tensor.js";

/** One matrix product into an existing tensor. Offsets are in elements and let a product work on some rows of a larger matrix. */
export interface Gemm {
  /** [m, k], or [k, m] with transposeA */
  a: Tensor;
  /** [k, n], or [n, k] with transposeB */
  b: Tensor;
  /** [m, n] */
  c: Tensor;
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  /** [n] f32, added to every row. */
  bias?: Tensor;
  /** Default 1. */
  alpha?: number;
  /** Adds to what c holds. */
  accumulate?: boolean;
  aOffset?: number;
  bOffset?: number;
  cOffset?: number;
}

/** Records c = alpha · a · b (+ bias) (+ c); sums in f32, one rounding. Outside the tape; shapes are the caller's to check. */
export function gemm({ a, b, c, m, n, k, transposeA = false, transposeB = false, bias, alpha = 1, accumulate = false, aOffset = 0, bOffset = 0, cOffset = 0 }: Gemm): void {
  matmulKernel.run(
    a.device,
    { a, b, bias: bias ?? a, c },
    { m, n, k, alpha, aOffset, bOffset, cOffset },
    {
      aType: a.dtype as FloatDtype,
      bType: b.dtype as FloatDtype,
      dtype: c.dtype as FloatDtype,
      transposeA,
      transposeB,
      accumulate,
      hasBias: bias !== undefined,
    },
  );
}
