import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import type { Capabilities } from "../device/capabilities.js";
import { broadcastBlock, broadcastGemm } from "./lib/gemm-broadcast.js";
import { plainGemm, plainTile } from "./lib/gemm-plain.js";
import { matVecGemm, matVecTile } from "./lib/gemm-mat-vec.js";
import { matrixFits, matrixTile, subgroupMatrixGemm } from "./lib/gemm-subgroup-matrix.js";
import { tiledGemm, tiledTile } from "./lib/gemm-tiled.js";
import type { GemmSpec } from "./lib/gemm.js";
import { oneGroupPer } from "./lib/grid.js";
import { subgroupMatrixEnables } from "./lib/subgroup-matrix.js";
import { hasSoftwareSubgroupsOf4, hasSubgroupsOf32 } from "./lib/subgroups.js";

/**
 * c[m, n] = alpha · sum over k of a(m, k) · b(k, n) [+ bias[n]] [+ addend[m, n]] [+ c[m, n]], sums in f32, rounded once to `dtype`.
 * With `splits` > 1, each of that many parts of the depth writes its own sums, as c[split, m, n].
 * a(m, k) = transposeA ? a[k, m] : a[m, k];  b(k, n) = transposeB ? b[n, k] : b[k, n].  The ways of computing it are in lib/gemm-*.ts.
 */
export type MatmulSpec = GemmSpec;

type Bindings = "a" | "b" | "bias" | "addend" | "c";
type Params = "m" | "n" | "k" | "splits" | "depthPerSplit" | "alpha" | "aOffset" | "bOffset" | "cOffset";

const scalars = { aElement: "aType", bElement: "bType", addendElement: "f32", cElement: "dtype" };
const vectors = { aElement: "vec4<aType>", bElement: "vec4<bType>", addendElement: "vec4<f32>", cElement: "vec4<dtype>" };
const bits = { aElement: "vec4<u32>", bElement: "vec4<u32>", addendElement: "vec4<f32>", cElement: "vec4<u32>" };
const bitsIn = { ...bits, addendElement: "f32", cElement: "dtype" };

export const matmulKernel: Kernel<MatmulSpec, Bindings, Params> = defineKernel<MatmulSpec>()({
  name: "matmul",
  bindings: { a: read("aElement"), b: read("bElement"), bias: read("f32"), addend: read("addendElement"), c: write("cElement") },
  params: {
    m: "u32",
    n: "u32",
    k: "u32",
    splits: "u32",
    depthPerSplit: "u32",
    alpha: "f32",
    aOffset: "u32",
    bOffset: "u32",
    cOffset: "u32",
  },
  unused: ({ hasBias, hasAddend }) => [...(hasBias ? [] : (["bias"] as const)), ...(hasAddend ? [] : (["addend"] as const))],
  variants: [
    { name: "matVec", when: matVecFits, spec: { method: "matVec", workgroupSize: 256, ...bitsIn } },
    {
      // Best of nine tilings on an H100, 2026-11-24: 221 TFLOP/s at 2048 × 8960 × 1536, where 32 deep tiles with 64 × 64 a subgroup reach 151.
      name: "subgroupMatrix",
      when: (capabilities, spec) => !spec.fewTiles && matrixFits(capabilities, spec),
      spec: matrixSpec("subgroup", { subgroupRows: 64, subgroupCols: 32, subgroupsDown: 2, subgroupsAcross: 4, tileDepth: 64 }),
    },
    {
      name: "subgroupMatrixSmall",
      when: matrixFits,
      spec: matrixSpec("subgroup", { subgroupRows: 32, subgroupCols: 32, subgroupsDown: 2, subgroupsAcross: 2, tileDepth: 64 }),
    },
    {
      name: "subgroupMatrixEmulated", // the same code with slow matrices, for tests without tensor cores
      when: () => false,
      spec: matrixSpec("emulated", { subgroupRows: 32, subgroupCols: 16, subgroupsDown: 2, subgroupsAcross: 2, tileDepth: 32 }),
    },
    {
      name: "broadcast",
      when: hasSoftwareSubgroupsOf4,
      spec: { method: "broadcast", workgroupSize: 16, ...scalars },
    },
    { name: "tiledVector", when: ({ software }, { aligned }) => !software && aligned, spec: { method: "tiled", vector: true, ...vectors } },
    { name: "tiled", when: ({ software }) => !software, spec: { method: "tiled", vector: false, ...scalars } },
    { name: "plain", when: always, spec: { method: "plain", workgroupSize: 64, ...scalars } },
  ],
  cost: ({ m, n, k }, { aType, bType, dtype }) => ({
    bytes: bytes(aType) * m * k + bytes(bType) * k * n + bytes(dtype) * m * n,
    flops: 2 * m * n * k,
  }),
  grid: ({ m, n, splits }, spec) => {
    const { rows, cols } = tileOf(spec);
    const tiles = Math.ceil(m / rows) * Math.ceil(n / cols);
    const [x, y] = oneGroupPer(spec.method === "broadcast" ? Math.ceil(tiles / (spec.workgroupSize / 4)) : tiles);
    return [x, y, splits];
  },
  enables: ({ method, matrix }) =>
    method === "subgroupMatrix"
      ? subgroupMatrixEnables(matrix)
      : method === "matVec"
        ? ["enable subgroups;"]
        : method === "broadcast"
          ? ["enable subgroups;", "diagnostic(off, subgroup_uniformity);"]
          : [],
  examples: [
    { ...example("f32", "f32", "f32"), transposeB: true, hasBias: true },
    { ...example("f16", "f16", "f32"), accumulate: true },
    { ...example("f32", "f16", "f16"), transposeA: true, hasAddend: true, tileShape: "wide", short: true },
  ],
  wgsl: (spec) => bodies[spec.method](spec),
});

/** Workgroups that keep a GPU busy with this variant: a product of fewer is split along its depth. Undefined for those on matrix units, which split where they are asked to. */
export function groupsToFill({ method, tileShape }: MatmulSpec): number | undefined {
  if (method === "subgroupMatrix" || method === "matVec") return undefined;
  return tileShape === "square" ? 256 : 512;
}

type MatrixTiling = Pick<GemmSpec, "subgroupRows" | "subgroupCols" | "subgroupsDown" | "subgroupsAcross" | "tileDepth">;

function matrixSpec(matrix: GemmSpec["matrix"], tiling: MatrixTiling): Partial<GemmSpec> {
  return { method: "subgroupMatrix", matrix, workgroupSize: 32 * tiling.subgroupsDown * tiling.subgroupsAcross, ...tiling, ...bits };
}

/** Few rows of f16 times a weight as it is stored, on subgroups of 32. */
function matVecFits(capabilities: Capabilities, spec: MatmulSpec): boolean {
  const { fewRows, aligned, transposeA, transposeB, aType, bType } = spec;
  const isStored = !transposeA && transposeB && aType === "f16" && bType === "f16";
  return hasSubgroupsOf32(capabilities) && fewRows && aligned && isStored;
}

const bodies = { plain: plainGemm, broadcast: broadcastGemm, tiled: tiledGemm, matVec: matVecGemm, subgroupMatrix: subgroupMatrixGemm };

function tileOf(spec: MatmulSpec): { rows: number; cols: number } {
  if (spec.method === "broadcast") return broadcastBlock(spec);
  if (spec.method === "matVec") return matVecTile(spec);
  if (spec.method === "subgroupMatrix") return matrixTile(spec);
  return spec.method === "tiled" ? tiledTile(spec) : { rows: plainTile, cols: plainTile };
}

function bytes(dtype: string): number {
  return dtype === "f16" ? 2 : 4;
}

function example(aType: "f16" | "f32", bType: "f16" | "f32", dtype: "f16" | "f32"): Partial<MatmulSpec> {
  return {
    aType,
    bType,
    dtype,
    transposeA: false,
    transposeB: false,
    accumulate: false,
    hasBias: false,
    hasAddend: false,
    tileShape: "square",
    short: false,
    fewRows: false,
    matVecRows: 2,
    depthWays: 2,
    aligned: true,
    evenDepth: true,
    fewTiles: false,
  };
}
