import type { Device } from "../device/device.js";
import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { pipelinedGemm } from "./lib/gemm-pipelined.js";
import { oneGroupPer } from "./lib/grid.js";
import { pipelinedTile, type PipelinedSpec } from "./lib/pipelined-tiles.js";
import { hasLargeStages, subgroupMatrixEnables } from "./lib/subgroup-matrix.js";

type Bindings = "a" | "b" | "bias" | "addend" | "h" | "factor" | "peaks" | "nextTile" | "c";
type Params =
  | "m"
  | "n"
  | "k"
  | "alpha"
  | "aOffset"
  | "bOffset"
  | "cOffset"
  | "rank"
  | "hPitch"
  | "hFirst"
  | "firstPeak"
  | "numPeaks"
  | "lowRankScale";

/** Workgroups of a product of many tiles: at least as many as a GPU runs at a time, one a multiprocessor; one that finds no tile left costs a microsecond. */
const mostGroups = 256;

const plain = { hasBias: false, hasAddend: false, accumulate: false, hasLowRank: false, fewTiles: false };

/**
 * c[m, n] = alpha · (sum over k of a[m, k] · b(k, n) [+ lowRankScale · sum over r of h[m, hFirst + r] · factor(r, n)]) [+ bias[n]] [+ addend[m, n]] [+ c[m, n]]
 * for f16 a and b on matrix units, sums in f32, rounded once to `dtype`. b lies as `order` says, factor as [n, r] or, with b of [k, n], as [r, n].
 * The largest of `peaks` is no less than any magnitude in h. k is a multiple of 64, n and r of 8; bits of f16 in u32. `nextTile` is 0, and is so again afterwards;
 * with `fewTiles` it is not used.
 */
export const pipelinedMatmulKernel: Kernel<PipelinedSpec, Bindings, Params> = defineKernel<PipelinedSpec>()({
  name: "pipelinedMatmul",
  bindings: {
    a: read("vec4<u32>"),
    b: read("vec4<u32>"),
    bias: read("f32"),
    addend: read("vec4<f32>"),
    h: read("vec4<f32>"),
    factor: read("vec4<f32>"),
    peaks: read("f32"),
    nextTile: write("atomic<u32>"),
    c: write("cElement"),
  },
  params: {
    m: "u32",
    n: "u32",
    k: "u32",
    alpha: "f32",
    aOffset: "u32",
    bOffset: "u32",
    cOffset: "u32",
    rank: "u32",
    hPitch: "u32",
    hFirst: "u32",
    firstPeak: "u32",
    numPeaks: "u32",
    lowRankScale: "f32",
  },
  unused: ({ hasBias, hasAddend, hasLowRank, fewTiles }) => [
    ...(hasBias ? [] : (["bias"] as const)),
    ...(hasAddend ? [] : (["addend"] as const)),
    ...(hasLowRank ? [] : (["h", "factor", "peaks"] as const)),
    ...(fewTiles ? (["nextTile"] as const) : []),
  ],
  variants: [
    {
      name: "subgroupSmall",
      when: (capabilities, { fewTiles }) => hasLargeStages(capabilities) && fewTiles,
      spec: tiling("subgroup", { subgroupRows: 32, subgroupCols: 48, subgroupsDown: 2, subgroupsAcross: 2 }),
    },
    {
      name: "subgroup",
      when: hasLargeStages,
      spec: tiling("subgroup", { subgroupRows: 64, subgroupCols: 48, subgroupsDown: 2, subgroupsAcross: 4 }),
    },
    {
      name: "emulated", // the same code with slow matrices, for tests without matrix units
      when: () => false,
      spec: tiling("emulated", { subgroupRows: 16, subgroupCols: 32, subgroupsDown: 2, subgroupsAcross: 2 }),
    },
  ],
  cost: ({ m, n, k }, { dtype }) => ({ bytes: 2 * m * k + 2 * k * n + (dtype === "f16" ? 2 : 4) * m * n, flops: 2 * m * n * k }),
  grid: ({ m, n }, spec) => {
    const { rows, cols } = pipelinedTile(spec);
    const tiles = Math.ceil(m / rows) * Math.ceil(n / cols);
    return oneGroupPer(spec.fewTiles ? tiles : Math.min(tiles, mostGroups));
  },
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples: [
    { ...plain, order: "eights", dtype: "f16", hasBias: true, hasLowRank: true },
    { ...plain, order: "rows", dtype: "f32", hasAddend: true },
    { ...plain, order: "columns", dtype: "f32", accumulate: true, hasLowRank: true },
  ],
  wgsl: pipelinedGemm,
});

/** Whether a device multiplies in this way by itself, or is made to. */
export function hasPipelined({ capabilities, recorder }: Pick<Device, "capabilities" | "recorder">): boolean {
  return recorder.variants.has("pipelinedMatmul") || (hasLargeStages(capabilities) && !recorder.variants.has("matmul"));
}

function tiling(
  matrix: PipelinedSpec["matrix"],
  tile: Pick<PipelinedSpec, "subgroupRows" | "subgroupCols" | "subgroupsDown" | "subgroupsAcross">,
): Partial<PipelinedSpec> {
  const workgroupSize = 32 * tile.subgroupsDown * tile.subgroupsAcross;
  return { matrix, workgroupSize, ...tile, reduce: matrix === "subgroup" ? "subgroup" : "plain", cElement: "vec4<u32>" };
}
