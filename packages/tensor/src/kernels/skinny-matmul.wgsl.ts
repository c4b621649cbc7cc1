import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { oneGroupPer } from "./lib/grid.js";
import { skinnyGemm } from "./lib/skinny-gemm.js";
import { factorNames, skinnyBlock, type SkinnySpec } from "./lib/skinny-tiles.js";
import { hasLargeStages, subgroupMatrixEnables } from "./lib/subgroup-matrix.js";

type Bindings = "a" | "b" | "b1" | "b2" | "peaks" | "parts";
type Params = "m" | "n" | "k" | "splits" | "bPitch" | "bFirst" | "firstPeak" | "numPeaks";

/**
 * parts[s, m, n] = sum over part s of the depth of a(m, k) · b(k, n) for f16 a and f32 b of up to 64 columns, from `bFirst` of rows of `bPitch` on or of several matrices, as exact as in f32; n in whole tiles of 16. `skinnySum`
 * adds the parts. Parts are as deep as a block; m, or with `columns` k, a multiple of 8, and so n.
 */
export const skinnyMatmulKernel: Kernel<SkinnySpec, Bindings, Params> = defineKernel<SkinnySpec>()({
  name: "skinnyMatmul",
  bindings: {
    a: read("vec4<u32>"),
    b: read("vec4<f32>"),
    b1: read("vec4<f32>"),
    b2: read("vec4<f32>"),
    peaks: read("f32"),
    parts: write("vec4<f32>"),
  },
  params: { m: "u32", n: "u32", k: "u32", splits: "u32", bPitch: "u32", bFirst: "u32", firstPeak: "u32", numPeaks: "u32" },
  unused: ({ hasPeaks, bOrder, factors }) => [
    ...factorNames.slice(bOrder === "rows" ? factors : 1),
    ...(hasPeaks ? [] : (["peaks"] as const)),
  ],
  variants: [
    {
      name: "subgroupRows",
      when: (capabilities, { aOrder, columnTiles }) => hasLargeStages(capabilities) && aOrder === "rows" && columnTiles === 1,
      spec: blocks({ rowTiles: 2, steps: 4 }),
    },
    {
      name: "subgroupColumns",
      when: (capabilities, { aOrder, columnTiles }) => hasLargeStages(capabilities) && aOrder === "columns" && columnTiles === 1,
      spec: blocks({ rowTiles: 4, steps: 2 }),
    },
    { name: "subgroup", when: hasLargeStages, spec: blocks({ rowTiles: 2, steps: 2 }) },
    {
      name: "emulated", // the same code with slow matrices, for tests without matrix units
      when: () => false,
      spec: { matrix: "emulated", reduce: "plain", workgroupSize: 64, rowTiles: 2, steps: 2 },
    },
  ],
  cost: ({ m, n, k, splits }) => ({ bytes: 2 * m * k + 4 * n * k + 4 * splits * m * n, flops: 4 * m * n * k }),
  grid: ({ m, splits }, spec) => {
    const [x, y] = oneGroupPer(numSkinnyGroups(m, splits, spec));
    return [x, y, splits];
  },
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples: [
    { aOrder: "rows", bOrder: "rows", columnTiles: 1, factors: 1, hasPeaks: false },
    { aOrder: "rows", bOrder: "columns", columnTiles: 2, factors: 1, hasPeaks: false },
    { aOrder: "rows", bOrder: "rows", columnTiles: 3, factors: 3, hasPeaks: false },
    { aOrder: "columns", bOrder: "columns", columnTiles: 2, factors: 2, hasPeaks: true },
  ],
  wgsl: skinnyGemm,
});

/** Workgroups that keep a GPU busy, and how many blocks at least make up for what b costs a workgroup. */
const groupsToFill = 792;
const fewestBlocks = 2;

/** Workgroups that share the blocks of a part of the depth, each as many. */
function numSkinnyGroups(m: number, splits: number, spec: SkinnySpec): number {
  const numBlocks = Math.ceil(m / skinnyBlock(spec).rows);
  return Math.ceil(numBlocks / Math.max(fewestBlocks, Math.floor((numBlocks * splits) / groupsToFill)));
}

function blocks(block: Pick<SkinnySpec, "rowTiles" | "steps">): Partial<SkinnySpec> {
  return { matrix: "subgroup", reduce: "subgroup", workgroupSize: 256, ...block };
}
