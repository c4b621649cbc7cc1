import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * With half = headDim / 2, for j < half, in every head of a token at position p:
 *
 *   y[j]        = x[j] · cos[p, j] − direction · x[j + half] · sin[p, j]
 *   y[j + half] = x[j + half] · cos[p, j] + direction · x[j] · sin[p, j]
 *
 * `direction` 1 rotates, −1 undoes it.  One thread per pair, f32, rounded once to `dtype`.
 */
export type RopeSpec = { xType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const ropeKernel: Kernel<RopeSpec, "x" | "positions" | "cos" | "sin" | "y", "numPairs" | "half" | "pairsPerToken" | "direction"> =
  defineKernel<RopeSpec>()({
    name: "rope",
    bindings: { x: read("xType"), positions: read("u32"), cos: read("f32"), sin: read("f32"), y: write("dtype") },
    params: { numPairs: "u32", half: "u32", pairsPerToken: "u32", direction: "f32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ numPairs }) => ({ bytes: 16 * numPairs, flops: 6 * numPairs }),
    grid: ({ numPairs }, { workgroupSize }) => oneThreadPer(numPairs, workgroupSize),
    examples: [
      { xType: "f32", dtype: "f32" },
      { xType: "f16", dtype: "f16" },
    ],
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let pair = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (pair >= params.numPairs) { return; }
      let j = pair % params.half;
      let first = 2u * pair - j; // pair = head · half + j lies at head · 2 · half + j
      let second = first + params.half;
      let angle = positions[pair / params.pairsPerToken] * params.half + j;
      let cosine = cos[angle];
      let sine = params.direction * sin[angle];
      let a = f32(x[first]);
      let b = f32(x[second]);
      y[first] = Dtype(a * cosine - b * sine);
      y[second] = Dtype(b * cosine + a * sine);
    }`,
  });
