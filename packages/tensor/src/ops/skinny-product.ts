import { skinnyMatmulKernel } from "../kernels/skinny-matmul.wgsl.js";
import { numPeaks, skinnySumKernel } from "../kernels/skinny-sum.wgsl.js";
import { hasLargeStages } from "../kernels/lib/subgroup-matrix.js";
import type { Device } from "../device/device.js";
import type { Tensor } from "../tensor.js";

/** A product with few columns, as those of an adapter of low rank are. */
export interface SkinnyProduct {
  /** [m, k] f16, or [k, m] with transposeA */
  a: Tensor;
  /** [k, n] f32, or [n, k] with transposeB */
  b: Tensor;
  /** [m, n] f32, or [n, m] with transposeC */
  c: Tensor;
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  transposeC?: boolean;
  /** Default 1. */
  alpha?: number;
  /** Adds to what c holds. */
  accumulate?: boolean;
  /** The largest values of b, as `skinnyProduct` gave them when it made b: without them b is weights of an adapter, of at most 511. */
  peaks?: Tensor | undefined;
  /** Gives those of c. */
  wantsPeaks?: boolean;
}

/** Columns in a tile, and in the widest product. */
const tile = 16;
const mostColumns = 64;

/** Whether a device has matrix units for such products, or is made to use their kernel, and the sizes are whole vectors. */
export function isSkinny(
  { capabilities, recorder }: Device,
  { m, n, k, transposeA = false }: Pick<SkinnyProduct, "m" | "n" | "k" | "transposeA">,
): boolean {
  const isThere = recorder.variants.has("skinnyMatmul") || hasLargeStages(capabilities);
  return isThere && n <= mostColumns && ((n | (transposeA ? m : k)) & 7) === 0;
}

/**
 * Records c = alpha · a · b (+ c) on matrix units: b goes in as two f16 parts of each f32, so that the result is as exact as in f32, within 4e-6 of its
 * largest value. Where `isSkinny`. Returns the peaks of c, in the current scope, if they are asked for.
 */
export function skinnyProduct(product: SkinnyProduct): Tensor | undefined {
  const { a, b, c, m, n, k, transposeA = false, transposeB = false, transposeC = false, alpha = 1, accumulate = false } = product;
  const { device } = a;
  const columnTiles = Math.ceil(n / tile);
  const spec = {
    aOrder: transposeA ? "columns" : "rows",
    bOrder: transposeB ? "rows" : "columns",
    columnTiles,
    hasPeaks: product.peaks !== undefined,
  } as const;
  const { tileDepth, groupRows } = skinnyMatmulKernel.specOn(device, spec);
  const { splits, depthPerSplit } = splitsOf(Math.ceil(m / groupRows), k, tileDepth);
  const parts = device.empty([splits, m, tile * columnTiles], "f32", "parts of a skinny product");
  skinnyMatmulKernel.run(
    device,
    { a, b, peaks: product.peaks ?? b, parts },
    { m, n, k, depthPerSplit, splits, numPeaks: product.peaks?.size ?? 0 },
    spec,
  );
  const peaks = product.wantsPeaks ? device.empty([numPeaks(m, n)], "f32", "peaks") : undefined;
  skinnySumKernel.run(
    device,
    { parts, c, peaks: peaks ?? c },
    { m, n, splits, alpha },
    { transposed: transposeC, accumulate, hasPeaks: peaks !== undefined },
  );
  parts.dispose();
  return peaks;
}

/** Workgroups that keep a GPU busy. */
const groupsToFill = 512;

/** Up to eight parts of the depth, of at least eight tiles each, until there are enough workgroups. */
function splitsOf(groups: number, k: number, tileDepth: number): { splits: number; depthPerSplit: number } {
  const tiles = Math.ceil(k / tileDepth);
  const wanted = Math.max(1, Math.min(8, Math.floor(groupsToFill / groups), Math.floor(tiles / 8)));
  const depthPerSplit = Math.ceil(tiles / wanted) * tileDepth;
  return { splits: Math.ceil(k / depthPerSplit), depthPerSplit };
}
