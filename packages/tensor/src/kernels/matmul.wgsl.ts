import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { broadcastBlock, broadcastGemm } from "./lib/gemm-broadcast.js";
import { plainGemm, plainTile } from "./lib/gemm-plain.js";
import { tiledGemm, tiledTile } from "./lib/gemm-tiled.js";
import type { GemmSpec } from "./lib/gemm.js";
import { oneGroupPer } from "./lib/grid.js";

/**
 * c[m, n] = alpha · sum over k of a(m, k) · b(k, n) [+ bias[n]] [+ addend[m, n]] [+ c[m, n]], sums in f32, rounded once to `dtype`.
 * a(m, k) = transposeA ? a[k, m] : a[m, k];  b(k, n) = transposeB ? b[n, k] : b[k, n].  The ways of computing it are in lib/gemm-*.ts.
 */
export type MatmulSpec = GemmSpec;

type Bindings = "a" | "b" | "bias" | "addend" | "c";
type Params = "m" | "n" | "k" | "alpha" | "aOffset" | "bOffset" | "cOffset";

const scalars = { aElement: "aType", bElement: "bType", cElement: "dtype" };

export const matmulKernel: Kernel<MatmulSpec, Bindings, Params> = defineKernel<MatmulSpec>()({
  name: "matmul",
  bindings: { a: read("aElement"), b: read("bElement"), bias: read("f32"), addend: read("f32"), c: write("cElement") },
  params: { m: "u32", n: "u32", k: "u32", alpha: "f32", aOffset: "u32", bOffset: "u32", cOffset: "u32" },
  variants: [
    {
      name: "broadcast",
      when: ({ software, subgroups, subgroupMinSize, subgroupMaxSize }) => software && subgroups && subgroupMinSize === 4 && subgroupMaxSize === 4,
      spec: { method: "broadcast", workgroupSize: 16, ...scalars },
    },
    { name: "tiled", when: ({ software }) => !software, spec: { method: "tiled", workgroupSize: 128, ...scalars } },
    { name: "plain", when: always, spec: { method: "plain", workgroupSize: 64, ...scalars } },
  ],
  cost: ({ m, n, k }, { aType, bType, dtype }) => ({ bytes: bytes(aType) * m * k + bytes(bType) * k * n + bytes(dtype) * m * n, flops: 2 * m * n * k }),
  grid: ({ m, n }, spec) => {
    const { rows, cols } = tileOf(spec);
    const tiles = Math.ceil(m / rows) * Math.ceil(n / cols);
    return oneGroupPer(spec.method === "broadcast" ? Math.ceil(tiles / (spec.workgroupSize / 4)) : tiles);
  },
  enables: (spec) => (spec.method === "broadcast" ? ["enable subgroups;", "diagnostic(off, subgroup_uniformity);"] : []),
  examples: [
    { ...example("f32", "f32", "f32"), transposeB: true, hasBias: true },
    { ...example("f16", "f16", "f32"), accumulate: true },
    { ...example("f32", "f16", "f16"), transposeA: true, hasAddend: true, short: true },
  ],
  wgsl: (spec) => bodies[spec.method](spec),
});

const bodies = { plain: plainGemm, broadcast: broadcastGemm, tiled: tiledGemm, subgroupMatrix: plainGemm };

function tileOf(spec: MatmulSpec): { rows: number; cols: number } {
  if (spec.method === "broadcast") return broadcastBlock(spec);
  const size = spec.method === "tiled" ? tiledTile : plainTile;
  return { rows: size, cols: size };
}

function bytes(dtype: string): number {
  return dtype === "f16" ? 2 : 4;
}

function example(aType: "f16" | "f32", bType: "f16" | "f32", dtype: "f16" | "f32"): Partial<MatmulSpec> {
  return { aType, bType, dtype, transposeA: false, transposeB: false, accumulate: false, hasBias: false, hasAddend: false, short: false, aligned: true, evenDepth: true };
}
