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
  bias?: Tensor | undefined;
  /** [m, n] f32, added before the rounding. */
  addend?: Tensor | undefined;
  /** Default 1. */
  alpha?: number;
  /** Adds to what c holds. */
  accumulate?: boolean;
  aOffset?: number;
  bOffset?: number;
  cOffset?: number;
}

/** Records c = alpha · a · b (+ bias) (+ addend) (+ c); sums in f32, one rounding. Outside the tape; shapes are the caller's to check. */
export function gemm(product: Gemm): void {
  const { a, b, c, m, n, k, transposeA = false, transposeB = false, bias, addend, alpha = 1, accumulate = false, aOffset = 0, bOffset = 0, cOffset = 0 } = product;
  matmulKernel.run(
    a.device,
    { a, b, bias: bias ?? a, addend: addend ?? a, c },
    { m, n, k, alpha, aOffset, bOffset, cOffset },
    {
      aType: a.dtype as FloatDtype,
      bType: b.dtype as FloatDtype,
      dtype: c.dtype as FloatDtype,
      transposeA,
      transposeB,
      accumulate,
      hasBias: bias !== undefined,
      hasAddend: addend !== undefined,
      short: m <= 8,
      aligned: [n, k, aOffset, bOffset, cOffset].every((size) => size % 8 === 0),
      evenDepth: k % 32 === 0,
    },
  );
}
