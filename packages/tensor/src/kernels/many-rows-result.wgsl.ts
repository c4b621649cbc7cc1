import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { fewRowsResult, plainResult, type FewRowsResult } from "./lib/few-rows-result.js";
import { fewRowsBindings, fewRowsParameters, fewRowsUnused } from "./lib/few-rows.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * What comes after the sums of a product of more than a few rows, in one launch: y[row, col] = sum over split of parts[split, row, col] (+ bias[col]) (+ low-rank
 * update) (+ addend[row, col]), or, with `swiGlu`, silu of the first half of the columns times the second; rounded once. One thread per element, parts in order.
 */
export type ManyRowsResultSpec = Omit<FewRowsResult, "hasNorm"> & { hasNorm: false; partsType: FloatDtype; workgroupSize: number };

type Bindings = "parts" | "bias" | "addend" | "h" | "b" | "y";

const { bias, addend, h, b, y } = fewRowsBindings;

export const manyRowsResultKernel: Kernel<ManyRowsResultSpec, Bindings, keyof typeof fewRowsParameters | "splits"> =
  defineKernel<ManyRowsResultSpec>()({
    name: "manyRowsResult",
    bindings: { parts: read("partsType"), bias, addend, h, b, y: write(y.type) },
    unused: (spec) => fewRowsUnused(spec).filter((name) => name === "bias" || name === "addend" || name === "h" || name === "b"),
    params: { ...fewRowsParameters, splits: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ m, n, splits }, { swiGlu }) => ({ bytes: m * n * (4 * splits * (swiGlu ? 2 : 1) + 4), flops: m * n * splits }),
    grid: ({ m, n }, { workgroupSize }) => oneThreadPer(m * n, workgroupSize),
    examples: [
      { ...plainResult, hasNorm: false, partsType: "f32", dtype: "f16", swiGlu: true, hasLowRank: true },
      { ...plainResult, hasNorm: false, partsType: "f16", dtype: "f32", hasBias: true, hasAddend: true },
    ],
    wgsl: (spec) => wgsl`
    const COLUMNS = ${spec.swiGlu ? 2 : 1}u; // of parts, for one of y
    fn sumOf(place: u32, index: u32) -> f32 {
      let size = COLUMNS * params.m * params.n;
      var sum = 0.0;
      for (var split = 0u; split < params.splits; split++) { sum += f32(parts[split * size + place + index * params.n]); }
      return sum;
    }
    ${fewRowsResult(spec, 1, spec.swiGlu ? 2 : 1)}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.m * params.n) { return; }
      let row = i / params.n;
      let col = i % params.n;
      writeResult(row * COLUMNS * params.n + col, 0u, 0u, row, col);
    }`,
  });
