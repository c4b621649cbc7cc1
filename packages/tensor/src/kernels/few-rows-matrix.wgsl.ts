import { defineKernel, type Kernel } from "./define-kernel.js";
import { plainResult } from "./lib/few-rows-result.js";
import { fewRowsBindings, fewRowsParameters, fewRowsUnused } from "./lib/few-rows.js";
import {
  fewRowsMatrixBody,
  fewRowsMatrixEnables,
  fewRowsMatrixGrid,
  fewRowsMatrixVariants,
  halfWeights,
  type FewRowsMatrixSpec,
} from "./lib/few-rows-matrix.js";

/** The product of `fewRows`, without a norm, for up to 32 rows of f16 and weights of f16 on matrix units: sums in f32, rounded once. */
export type FewRowsHalfSpec = FewRowsMatrixSpec & { weightElement: "vec4<u32>" };

const example = { xElement: "vec4<u32>", weightElement: "vec4<u32>", ...plainResult } as const;

export const fewRowsMatrixKernel: Kernel<FewRowsHalfSpec, keyof typeof fewRowsBindings, keyof typeof fewRowsParameters> =
  defineKernel<FewRowsHalfSpec>()({
    name: "fewRowsMatrix",
    bindings: fewRowsBindings,
    unused: fewRowsUnused,
    params: fewRowsParameters,
    variants: fewRowsMatrixVariants,
    cost: ({ m, k, n }, { swiGlu }) => ({ bytes: (swiGlu ? 4 : 2) * k * n, flops: (swiGlu ? 4 : 2) * m * k * n }),
    grid: fewRowsMatrixGrid,
    enables: fewRowsMatrixEnables,
    examples: [
      { ...example, dtype: "f32", rowTiles: 1, hasAddend: true, hasLowRank: true, workgroupSize: 256 },
      { ...example, dtype: "f16", rowTiles: 2, swiGlu: true, workgroupSize: 128 },
    ],
    wgsl: (spec) => fewRowsMatrixBody(spec, halfWeights),
  });
