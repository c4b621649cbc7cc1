import type { Device } from "../device/device.js";
import { skinnyBlock } from "../kernels/lib/skinny-tiles.js";
import { hasLargeStages } from "../kernels/lib/subgroup-matrix.js";
import { skinnyMatmulKernel } from "../kernels/skinny-matmul.wgsl.js";
import { numPeaks, skinnySumKernel } from "../kernels/skinny-sum.wgsl.js";
import type { Tensor } from "../tensor.js";
import type { Peaks } from "./gemm.js";

/** A product with few columns, as those of adapters of low rank are. */
export interface SkinnyProduct {
  /** [m, k] f16, or [k, m] with transposeA */
  a: Tensor;
  /** [k, pitch] f32, of which n columns from `bFirst` on are meant; with transposeB [n, k], or up to three such with as many of the n rows, that `goTogether` */
  b: Tensor | readonly Tensor[];
  bFirst?: number;
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  /** The largest values of b, as `skinnyProduct` gave them when it made b, where there are several targets those of the columns of each, one after another: without them b is weights of an adapter, of at most 511. */
  peaks?: Peaks | undefined;
  /** Where the product goes: to one matrix, or to several as many of its columns, that `goTogether`. */
  to: readonly SkinnyTarget[];
}

/** Where columns of a product go. */
export interface SkinnyTarget {
  /** [m, pitch] f32, of which the columns from `first` on are meant; or with `transposed` [columns, m] */
  c: Tensor;
  first?: number;
  transposed?: boolean;
  /** Default 1. */
  alpha?: number;
  /** Adds to what c holds. */
  accumulate?: boolean;
  /** Where to put the largest values. */
  peaks?: Peaks | undefined;
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

/** Whether so many products of n columns each, where `isSkinny`, may be one. */
export function goTogether(count: number, n: number): boolean {
  return count <= 3 && n % tile === 0 && count * n <= mostColumns;
}

/**
 * Records c = alpha · a · b (+ c) on matrix units: b goes in as two f16 parts of each f32, so that the result is as exact as in f32, within 4e-6 of its
 * largest value. Where `isSkinny`.
 */
export function skinnyProduct({ a, b, bFirst = 0, m, n, k, transposeA = false, transposeB = false, peaks, to }: SkinnyProduct): void {
  const { device } = a;
  const factors: readonly Tensor[] = "device" in b ? [b] : b;
  const [first, second = first!, third = first!] = factors;
  const columnTiles = Math.ceil(n / tile);
  const spec = {
    aOrder: transposeA ? "columns" : "rows",
    bOrder: transposeB ? "rows" : "columns",
    columnTiles,
    factors: peaks ? to.length : factors.length,
    hasPeaks: peaks !== undefined,
  } as const;
  const splits = Math.ceil(k / skinnyBlock(skinnyMatmulKernel.specOn(device, spec)).depth);
  const parts = device.empty([splits, m, tile * columnTiles], "f32", "parts of a skinny product");
  skinnyMatmulKernel.run(
    device,
    { a, b: first!, b1: second, b2: third, peaks: peaks?.tensor ?? first!, parts },
    { m, n, k, splits, bPitch: first!.shape.at(-1)!, bFirst, firstPeak: peaks?.first ?? 0, numPeaks: (peaks?.count ?? 0) / spec.factors },
    spec,
  );
  const columns = n / to.length;
  for (const [index, { c, first: cFirst = 0, transposed = false, alpha = 1, accumulate = false, peaks: ofC }] of to.entries()) {
    const ofParts = { splits, partsPitch: tile * columnTiles, partsFirst: index * columns };
    skinnySumKernel.run(
      device,
      { parts, c, peaks: ofC?.tensor ?? c },
      { m, n: columns, alpha, ...ofParts, cPitch: c.shape.at(-1)!, cFirst, firstPeak: ofC?.first ?? 0 },
      { transposed, accumulate, hasPeaks: ofC !== undefined },
    );
  }
  parts.dispose();
}

/** Room for the peaks of matrices of these sizes, of each as many, one after another; in the current scope. */
export function emptyPeaks(device: Device, count: number, { m, n }: { m: number; n: number }): Peaks[] {
  const each = numPeaks(m, n);
  const tensor = device.empty([count * each], "f32", "peaks");
  return Array.from({ length: count }, (_, index) => ({ tensor, first: index * each, count: each }));
}
