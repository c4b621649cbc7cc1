import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { rowsTogether } from "../kernels/lib/few-rows.js";
import { depthWaysOf } from "../kernels/lib/gemm-mat-vec.js";
import { tiledTile } from "../kernels/lib/gemm-tiled.js";
import type { TileShape } from "../kernels/lib/gemm.js";
import { hasPipelined, pipelinedMatmulKernel } from "../kernels/matmul-pipelined.wgsl.js";
import { groupsToFill, matmulKernel, type MatmulSpec } from "../kernels/matmul.wgsl.js";
import { splitSumKernel } from "../kernels/split-sum.wgsl.js";
import type { Tensor } from "../tensor.js";
import { nextTileOf } from "./next-tile.js";

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
  /** b is [k / 8, n, 8]: for `pipelines` alone. */
  inEights?: boolean;
  /** The sums of a row of c are the same bits whatever other rows there are: not in a kernel that enough rows alone have. */
  isRowwise?: boolean;
  /** Adds a product of f32 matrices inside this one; for `pipelines` alone. */
  lowRank?: LowRankProduct | undefined;
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
  /** Parts of the depth that are summed side by side; by default as many as keep a GPU busy, with matrix units one. */
  splits?: number;
}

/** Numbers of which the largest is no less than any magnitude in a matrix: `count` of an f32 tensor from `first` on, as `skinnyProduct` gives them. */
export interface Peaks {
  tensor: Tensor;
  first: number;
  count: number;
}

/** scale · h · factorᵀ, or h · factor where b is not transposed: a product of low rank inside another, as exact as in f32. */
export interface LowRankProduct {
  /** [m, pitch] f32, of which r columns from `first` on are meant, both multiples of 8; default all */
  h: Tensor;
  first?: number;
  r?: number;
  peaks: Peaks;
  /** f32, [n, r] with transposeB or `inEights`, else [r, n]; f16 loses what is above 511 */
  factor: Tensor;
  scale: number;
}

/** Records c = alpha · a · b (+ bias) (+ addend) (+ c); sums in f32, one rounding. Outside the tape; shapes are the caller's to check. */
export function gemm(product: Gemm): void {
  const { a, b, c, m, n, k, bias, addend, alpha = 1, accumulate = false, aOffset = 0, bOffset = 0, cOffset = 0 } = product;
  const { device } = a;
  if (pipelines(product, product.lowRank ? 1 : undefined)) {
    const { lowRank, inEights, transposeB } = product;
    const isSmall = numPipelinedTiles(m, n) < fewTiles;
    pipelinedMatmulKernel.run(
      device,
      {
        a,
        b,
        bias: bias ?? a,
        addend: addend ?? a,
        h: lowRank?.h ?? a,
        factor: lowRank?.factor ?? a,
        peaks: lowRank?.peaks.tensor ?? a,
        nextTile: isSmall ? a : nextTileOf(device),
        c,
      },
      {
        m,
        n,
        k,
        alpha,
        aOffset,
        bOffset,
        cOffset,
        rank: lowRank?.r ?? lowRank?.h.shape[1] ?? 0,
        hPitch: lowRank?.h.shape[1] ?? 0,
        hFirst: lowRank?.first ?? 0,
        firstPeak: lowRank?.peaks.first ?? 0,
        numPeaks: lowRank?.peaks.count ?? 0,
        lowRankScale: lowRank?.scale ?? 0,
      },
      {
        order: inEights ? "eights" : transposeB ? "rows" : "columns",
        dtype: c.dtype as FloatDtype,
        hasBias: bias !== undefined,
        hasAddend: addend !== undefined,
        accumulate,
        hasLowRank: lowRank !== undefined,
        fewTiles: isSmall,
      },
    );
    return;
  }
  if (product.inEights || product.lowRank) throw new ShapeError(`gemm: expected a product that pipelines, got ${m} × ${n} × ${k}`);
  const operands = specOf(product);
  const { splits, depthPerSplit } = splitDepth(product, operands);
  const rounding = { dtype: c.dtype as FloatDtype, hasBias: bias !== undefined, hasAddend: addend !== undefined, accumulate };
  const sides = { m, n, k, splits, depthPerSplit, aOffset, bOffset };
  if (splits === 1) {
    matmulKernel.run(device, { a, b, bias: bias ?? a, addend: addend ?? a, c }, { ...sides, alpha, cOffset }, { ...operands, ...rounding });
    return;
  }
  const parts = partsOf(product, operands, sides);
  splitSumKernel.run(device, { parts, bias: bias ?? a, addend: addend ?? a, c }, { size: m * n, n, splits, alpha, cOffset }, rounding);
  parts.dispose();
}

/** Fewer tiles than this leave more of a GPU idle than they are worth: below the first there are smaller ones, below the second the kernel is another. */
const fewTiles = 64;
const fewestPipelinedTiles = 16;

function numPipelinedTiles(m: number, n: number): number {
  return Math.ceil(m / 128) * Math.ceil(n / 192);
}

/** Whether a product goes to the kernel that keeps matrix units busy: f16 operands, a not transposed, sizes in whole vectors, enough of them. */
export function pipelines(
  product: Pick<Gemm, "a" | "b" | "m" | "n" | "k" | "transposeA" | "aOffset" | "bOffset" | "cOffset" | "splits" | "isRowwise">,
  fewestTiles: number = fewestPipelinedTiles,
): boolean {
  const { a, b, m, n, k, transposeA = false, aOffset = 0, bOffset = 0, cOffset = 0, splits = 1 } = product;
  const isForced = a.device.recorder.variants.has("pipelinedMatmul");
  return (
    hasPipelined(a.device) &&
    a.dtype === "f16" &&
    b.dtype === "f16" &&
    !transposeA &&
    !product.isRowwise &&
    splits === 1 &&
    ((n | aOffset | bOffset | cOffset) & 7) === 0 &&
    k % 64 === 0 &&
    (isForced || numPipelinedTiles(m, n) >= fewestTiles)
  );
}

/** Records the products of so many parts of the depth, or of fewer where they would be too small, for a kernel that adds them: [splits, m, n] in `dtype`. */
export function gemmParts(
  product: Pick<Gemm, "a" | "b" | "m" | "n" | "k" | "transposeA" | "transposeB"> & { splits: number; dtype: FloatDtype },
): Tensor {
  const operands = specOf(product);
  const { m, n, k, dtype } = product;
  return partsOf(product, operands, { m, n, k, ...splitDepth(product, operands), aOffset: 0, bOffset: 0 }, dtype);
}

type Sides = Record<"m" | "n" | "k" | "splits" | "depthPerSplit" | "aOffset" | "bOffset", number>;

function partsOf({ a, b }: Pick<Gemm, "a" | "b">, operands: Partial<MatmulSpec>, sides: Sides, dtype: FloatDtype = "f32"): Tensor {
  const { device } = a;
  const { splits, m, n } = sides;
  const parts = device.empty([splits, m, n], dtype, "parts of a product");
  matmulKernel.run(
    device,
    { a, b, bias: a, addend: a, c: parts },
    { ...sides, alpha: 1, cOffset: 0 },
    { ...operands, ...partRounding, dtype },
  );
  return parts;
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
}: Omit<Gemm, "c">): Partial<MatmulSpec> {
  const { capabilities, recorder } = a.device;
  // The kernel for software adapters makes nothing of the sizes; fewer specs are fewer compilations, which take longest there.
  const isOneForAll = capabilities.software && !recorder.variants.has("matmul");
  const isFew = !isOneForAll && m <= 32;
  return {
    aType: a.dtype as FloatDtype,
    bType: b.dtype as FloatDtype,
    transposeA,
    transposeB,
    short: m <= 8,
    tileShape: isOneForAll ? "square" : tileShapeOf(m, n),
    aligned: !isOneForAll && (((transposeA ? m : k) | (transposeB ? k : n) | n | aOffset | bOffset | cOffset) & 7) === 0,
    evenDepth: !isOneForAll && k % 64 === 0,
    fewTiles: isOneForAll || Math.ceil(m / 128) * Math.ceil(n / 128) < 64,
    fewRows: isFew,
    matVecRows: isFew ? rowsTogether(m) : 8, // of a product that is no work for the variant of few rows these two say nothing
    depthWays: isFew ? depthWaysOf(n, k) : 1,
  };
}

function tileShapeOf(m: number, n: number): TileShape {
  if (n <= 32) return "tall";
  return m <= 32 ? "wide" : "square";
}

/** Where a depth may be split: whole tiles of every variant. */
const splitStep = 64;

/** A product with a long depth and a small result has too few tiles to keep a device busy: its depth is split, and the parts are added in a second pass. */
function splitDepth(product: Omit<Gemm, "c">, operands: Partial<MatmulSpec>): { splits: number; depthPerSplit: number } {
  const { m, n, k, splits } = product;
  if (splits) return partsOfDepth(k, splits, splitStep, splitStep);
  const { software } = product.a.device.capabilities;
  const { rows, cols, depth } = tiledTile({ tileShape: tileShapeOf(m, n) });
  const leastDepth = software ? 512 : 4 * depth;
  const fill = leastDepth < k ? groupsToFill(matmulKernel.specOn(product.a.device, { ...operands, ...partRounding })) : undefined;
  if (fill === undefined) return partsOfDepth(k, 1, leastDepth, depth);
  const tiles = Math.ceil(m / rows) * Math.ceil(n / cols);
  return partsOfDepth(k, Math.ceil((software ? 2 : fill) / tiles), leastDepth, depth);
}

/** So many parts of a depth, or fewer: each but the last of whole steps, and none but a whole depth of less than `least`. */
function partsOfDepth(k: number, wanted: number, least: number, step: number): { splits: number; depthPerSplit: number } {
  const depthPerSplit = Math.max(least, Math.ceil(k / wanted / step) * step);
  return wanted <= 1 || depthPerSplit >= k ? { splits: 1, depthPerSplit: k } : { splits: Math.ceil(k / depthPerSplit), depthPerSplit };
}
