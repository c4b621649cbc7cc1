import type { FloatDtype } from "../dtype.js";
import { rowsTogether } from "../kernels/lib/few-rows.js";
import { depthWaysOf } from "../kernels/lib/gemm-mat-vec.js";
import { tiledTile } from "../kernels/lib/gemm-tiled.js";
import type { TileShape } from "../kernels/lib/gemm.js";
import { groupsToFill, matmulKernel, type MatmulSpec } from "../kernels/matmul.wgsl.js";
import { splitSumKernel } from "../kernels/split-sum.wgsl.js";
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
  /** Parts of the depth that are summed side by side; by default as many as keep a GPU busy. Matrix units take the depth as a whole. */
  splits?: number;
}

/** Records c = alpha · a · b (+ bias) (+ addend) (+ c); sums in f32, one rounding. Outside the tape; shapes are the caller's to check. */
export function gemm(product: Gemm): void {
  const { a, b, c, m, n, k, bias, addend, alpha = 1, accumulate = false, aOffset = 0, bOffset = 0, cOffset = 0 } = product;
  const { device } = a;
  const operands = specOf(product);
  const { splits, depthPerSplit } = splitDepth(product, operands);
  const rounding = { dtype: c.dtype as FloatDtype, hasBias: bias !== undefined, hasAddend: addend !== undefined, accumulate };
  const sides = { m, n, k, splits, depthPerSplit, aOffset, bOffset };
  if (splits === 1) {
    matmulKernel.run(device, { a, b, bias: bias ?? a, addend: addend ?? a, c }, { ...sides, alpha, cOffset }, { ...operands, ...rounding });
    return;
  }
  const parts = device.empty([splits, m, n], "f32", "parts of a product");
  matmulKernel.run(device, { a, b, bias: a, addend: a, c: parts }, { ...sides, alpha: 1, cOffset: 0 }, { ...operands, ...partRounding });
  splitSumKernel.run(device, { parts, bias: bias ?? a, addend: addend ?? a, c }, { size: m * n, n, splits, alpha, cOffset }, rounding);
  parts.dispose();
}

/** Parts of the depth are f32, and alone. */
const partRounding = { dtype: "f32", hasBias: false, hasAddend: false, accumulate: false } as const;

/** What of the kernel's spec depends on the operands. */
function specOf({
  a,
  b,
  m,
  n,
  k,
  transposeA = false,
  transposeB = false,
  aOffset = 0,
  bOffset = 0,
  cOffset = 0,
}: Gemm): Partial<MatmulSpec> {
  const operands = { aType: a.dtype as FloatDtype, bType: b.dtype as FloatDtype, transposeA, transposeB, short: m <= 8 };
  // The kernel for software adapters makes nothing of the sizes; fewer specs are fewer compilations, which take longest there.
  if (a.device.capabilities.software && !a.device.recorder.variants.has("matmul"))
    return {
      ...operands,
      tileShape: "square",
      aligned: false,
      evenDepth: false,
      fewTiles: true,
      ...manyRows,
    };
  return {
    ...operands,
    tileShape: tileShapeOf(m, n),
    aligned: [transposeA ? m : k, transposeB ? k : n, n, aOffset, bOffset, cOffset].every((size) => size % 8 === 0),
    evenDepth: k % 64 === 0,
    fewTiles: Math.ceil(m / 128) * Math.ceil(n / 128) < 64,
    ...(m <= 32 ? { fewRows: true, matVecRows: rowsTogether(m), depthWays: depthWaysOf(n, k) } : manyRows),
  };
}

/** A product that is no work for the variant of few rows, of which the other two then say nothing. */
const manyRows = { fewRows: false, matVecRows: 8, depthWays: 1 } as const;

function tileShapeOf(m: number, n: number): TileShape {
  if (n <= 32) return "tall";
  return m <= 32 ? "wide" : "square";
}

/** A product with a long depth and a small result has too few tiles to keep a device busy: its depth is split, and the parts are added in a second pass. */
function splitDepth(product: Gemm, operands: Partial<MatmulSpec>): { splits: number; depthPerSplit: number } {
  const { a, m, n, k, splits } = product;
  const { software } = a.device.capabilities;
  const { rows, cols, depth } = tiledTile({ tileShape: tileShapeOf(m, n) });
  const leastDepth = splits ? depth : software ? 512 : 4 * depth;
  const whole = { splits: 1, depthPerSplit: k };
  if (leastDepth >= k) return whole;
  const fill = groupsToFill(matmulKernel.specOn(a.device, { ...operands, ...partRounding }));
  if (fill === undefined) return whole;
  const tiles = Math.ceil(m / rows) * Math.ceil(n / cols);
  const wanted = splits ?? Math.ceil((software ? 2 : fill) / tiles);
  const depthPerSplit = Math.max(leastDepth, Math.ceil(k / wanted / depth) * depth);
  return wanted <= 1 || depthPerSplit >= k ? whole : { splits: Math.ceil(k / depthPerSplit), depthPerSplit };
}
