import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { oneGroupPer } from "./lib/grid.js";
import { skinnyGemm } from "./lib/skinny-gemm.js";
import type { SkinnySpec } from "./lib/skinny-tiles.js";
import { hasLargeStages, subgroupMatrixEnables } from "./lib/subgroup-matrix.js";

type Bindings = "a" | "b" | "peaks" | "parts";
type Params = "m" | "n" | "k" | "depthPerSplit" | "splits" | "numPeaks";

/**
 * parts[s, m, n] = sum over part s of the depth of a(m, k) · b(k, n) for f16 a and f32 b of up to 64 columns, as exact as in f32; n in whole tiles of 16. `skinnySum`
 * adds the parts. Parts of the depth are whole tiles; m, or with `columns` k, a multiple of 8, and so n.
 */
export const skinnyMatmulKernel: Kernel<SkinnySpec, Bindings, Params> = defineKernel<SkinnySpec>()({
  name: "skinnyMatmul",
  bindings: { a: read("vec4<u32>"), b: read("vec4<f32>"), peaks: read("f32"), parts: write("vec4<f32>") },
  params: { m: "u32", n: "u32", k: "u32", depthPerSplit: "u32", splits: "u32", numPeaks: "u32" },
  unused: ({ hasPeaks }) => (hasPeaks ? [] : ["peaks"]),
  variants: [
    {
      // Best of five tilings at 2048 and 4096 rows of 1,536 and 8,960 (H200, 2026-12-01); for h alone 32 rows and 64 deep are 4 % quicker, for dB twice as slow.
      name: "subgroup",
      when: hasLargeStages,
      spec: { matrix: "subgroup", reduce: "subgroup", groupRows: 64, tileDepth: 32, workgroupSize: 64 },
    },
    {
      name: "emulated", // the same code with slow matrices, for tests without matrix units
      when: () => false,
      spec: { matrix: "emulated", reduce: "plain", groupRows: 32, tileDepth: 32, workgroupSize: 64 },
    },
  ],
  cost: ({ m, n, k, splits }) => ({ bytes: 2 * m * k + 4 * n * k + 4 * splits * m * n, flops: 4 * m * n * k }),
  grid: ({ m, splits }, { groupRows }) => {
    const [x, y] = oneGroupPer(Math.ceil(m / groupRows));
    return [x, y, splits];
  },
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples: [
    { aOrder: "rows", bOrder: "rows", columnTiles: 1, hasPeaks: false },
    { aOrder: "rows", bOrder: "columns", columnTiles: 2, hasPeaks: false },
    { aOrder: "columns", bOrder: "columns", columnTiles: 1, hasPeaks: true },
  ],
  wgsl: skinnyGemm,
});
