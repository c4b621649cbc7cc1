import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * c[row, col] = alpha · sum over split of parts[split, row, col] [+ bias[col]] [+ addend[row, col]] [+ c[row, col]], rounded once to `dtype`: the end
 * of a matrix product whose depth was split.  One thread per element, parts in order, so that a run repeats bit for bit.
 */
export type SplitSumSpec = { dtype: FloatDtype; hasBias: boolean; hasAddend: boolean; accumulate: boolean; workgroupSize: number };

export const splitSumKernel: Kernel<SplitSumSpec, "parts" | "bias" | "addend" | "c", "size" | "n" | "splits" | "alpha" | "cOffset"> =
  defineKernel<SplitSumSpec>()({
    name: "splitSum",
    bindings: { parts: read("f32"), bias: read("f32"), addend: read("f32"), c: write("dtype") },
    params: { size: "u32", n: "u32", splits: "u32", alpha: "f32", cOffset: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ size, splits }) => ({ bytes: 4 * size * (splits + 1), flops: size * splits }),
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [
      { dtype: "f32", hasBias: true, hasAddend: false, accumulate: true },
      { dtype: "f16", hasBias: false, hasAddend: true, accumulate: false },
    ],
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      var sum = 0.0;
      for (var split = 0u; split < params.splits; split++) { sum += parts[split * params.size + i]; }
      var value = params.alpha * sum;
      ${spec.hasBias ? "value += bias[i % params.n];" : ""}
      ${spec.hasAddend ? "value += addend[i];" : ""}
      ${spec.accumulate ? "value += f32(c[params.cOffset + i]);" : ""}
      c[params.cOffset + i] = Dtype(value);
    }`,
  });
