import {
  defineKernel,
  fewRowsBindings,
  fewRowsBody,
  fewRowsEnables,
  fewRowsGrid,
  fewRowsMatrixBody,
  fewRowsMatrixEnables,
  fewRowsMatrixGrid,
  fewRowsMatrixVariants,
  fewRowsParameters,
  fewRowsUnused,
  fewRowsVariants,
  type FewRowsMatrixSpec,
  type FewRowsSpec,
  plainResult,
  type Kernel,
} from "@kto/tensor";
import { codesFunctions, codesOfTeams, codesOfTiles, codesParameters, type CodesSpec } from "./lib/few-rows.js";

type Params = keyof typeof fewRowsParameters | keyof typeof codesParameters;

const params: Record<Params, "u32" | "f32"> = { ...fewRowsParameters, ...codesParameters };

const example = {
  xElement: "vec4<f32>",
  weightElement: "u32",
  weightType: "bfloat16",
  nested: true,
  dtype: "f32",
  evenBlocks: true,
  updateRanks: 0,
  mostRanks: 0,
  partLoads: 0,
  ...plainResult,
} as const;

const adapted = { hasLowRank: true, updateRanks: 48, mostRanks: 16, partLoads: 3 } as const;

/** The product of `fewRows` straight from the codes of its weights, which are decoded as they are multiplied. */
export type Nf4FewRowsSpec = FewRowsSpec &
  CodesSpec & {
    /** Blocks of 64, and rows of the weight that are whole multiples of 256: lanes of a subgroup make scales for each other. */
    evenBlocks: boolean;
  };

export const nf4FewRowsKernel: Kernel<Nf4FewRowsSpec, keyof typeof fewRowsBindings, Params> = defineKernel<Nf4FewRowsSpec>()({
  name: "nf4FewRows",
  bindings: fewRowsBindings,
  unused: fewRowsUnused,
  params,
  variants: fewRowsVariants,
  cost: ({ m, k, n }, { rows, swiGlu }) => ({
    bytes: ((swiGlu ? 2 : 1) * Math.ceil(m / rows) * k * n) / 2,
    flops: (swiGlu ? 4 : 2) * m * k * n,
  }),
  grid: fewRowsGrid,
  enables: fewRowsEnables,
  examples: [
    { ...example, rows: 1, depthWays: 1, hasNorm: true, hasBias: true },
    { ...example, rows: 2, depthWays: 4, evenBlocks: false, nested: false, weightType: "float16", swiGlu: true },
    { ...example, rows: 1, depthWays: 2, weightType: "float32", hasAddend: true, ...adapted, aheadRanks: 48, hasAheadNorm: true },
  ],
  wgsl: (spec) =>
    fewRowsBody(spec, codesOfTeams(spec, { sharedScales: spec.evenBlocks && spec.reduce === "subgroup" && spec.width === 32 })),
});

const { evenBlocks: _blocks, updateRanks: _ranks, mostRanks: _mostRanks, partLoads: _loads, ...otherExample } = example;
const matrixExample = { ...otherExample, xElement: "vec4<u32>" } as const;

/** The same for up to 32 rows of f16 on matrix units: weights are decoded to f16 in workgroup memory. */
export const nf4FewRowsMatrixKernel: Kernel<FewRowsMatrixSpec & CodesSpec, keyof typeof fewRowsBindings, Params> = defineKernel<
  FewRowsMatrixSpec & CodesSpec
>()({
  name: "nf4FewRowsMatrix",
  bindings: fewRowsBindings,
  unused: fewRowsUnused,
  params,
  variants: fewRowsMatrixVariants,
  cost: ({ m, k, n }, { swiGlu }) => ({ bytes: (swiGlu ? 1 : 0.5) * k * n, flops: (swiGlu ? 4 : 2) * m * k * n }),
  grid: fewRowsMatrixGrid,
  enables: fewRowsMatrixEnables,
  examples: [
    { ...matrixExample, rowTiles: 1, hasBias: true, workgroupSize: 256 },
    { ...matrixExample, rowTiles: 2, nested: false, swiGlu: true, workgroupSize: 128 },
  ],
  wgsl: (spec) => fewRowsMatrixBody(spec, { ...codesOfTiles, functions: codesFunctions(spec) }),
});
