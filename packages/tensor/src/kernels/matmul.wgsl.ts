import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneGroupPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * c[m, n] = alpha · sum over k of a(m, k) · b(k, n) [+ c[m, n]] [+ bias[n]], sums in f32, rounded once to `dtype`.
 * a(m, k) = transposeA ? a[k, m] : a[m, k];  b(k, n) = transposeB ? b[n, k] : b[k, n].
 * `plain`: a thread has a 4 × 4 block of c in registers; no workgroup memory.
 */
export type MatmulSpec = {
  aType: FloatDtype;
  bType: FloatDtype;
  dtype: FloatDtype;
  transposeA: boolean;
  transposeB: boolean;
  accumulate: boolean;
  hasBias: boolean;
  workgroupSize: number;
};

export const matmulKernel: Kernel<MatmulSpec, "a" | "b" | "bias" | "c", "m" | "n" | "k" | "alpha" | "aOffset" | "bOffset" | "cOffset"> = defineKernel<MatmulSpec>()({
  name: "matmul",
  bindings: { a: read("aType"), b: read("bType"), bias: read("f32"), c: write("dtype") },
  params: { m: "u32", n: "u32", k: "u32", alpha: "f32", aOffset: "u32", bOffset: "u32", cOffset: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ m, n, k }) => ({ bytes: 4 * (m * k + k * n + m * n), flops: 2 * m * n * k }),
  grid: ({ m, n }) => oneGroupPer(Math.ceil(m / 32) * Math.ceil(n / 32)),
  examples: [
    { aType: "f32", bType: "f32", dtype: "f32", transposeA: false, transposeB: true, accumulate: false, hasBias: true },
    { aType: "f16", bType: "f16", dtype: "f32", transposeA: false, transposeB: false, accumulate: true, hasBias: false },
  ],
  wgsl: (spec) => wgsl`
    fn aIndex(row: u32, depth: u32) -> u32 { return params.aOffset + ${spec.transposeA ? "depth * params.m + row" : "row * params.k + depth"}; }
    fn bIndex(col: u32, depth: u32) -> u32 { return params.bOffset + ${spec.transposeB ? "col * params.k + depth" : "depth * params.n + col"}; }

    ${computeMain(spec)} {
      let tilesN = (params.n + 31u) / 32u;
      let tile = foldedIndex(group, groups);
      let row0 = tile / tilesN * 32u + lane / 8u * 4u;
      let col0 = tile % tilesN * 32u + lane % 8u * 4u;
      if (row0 >= params.m || col0 >= params.n) { return; }
      var acc: array<vec4<f32>, 4>;
      for (var depth = 0u; depth < params.k; depth++) {
        var right: vec4<f32>;
        for (var j = 0u; j < 4u; j++) { right[j] = f32(b[bIndex(min(col0 + j, params.n - 1u), depth)]); }
        for (var i = 0u; i < 4u; i++) { acc[i] += f32(a[aIndex(min(row0 + i, params.m - 1u), depth)]) * right; }
      }
      for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
          let row = row0 + i;
          let col = col0 + j;
          if (row < params.m && col < params.n) {
            let index = params.cOffset + row * params.n + col;
            var value = params.alpha * acc[i][j];
            ${spec.hasBias ? "value += bias[col];" : ""}
            ${spec.accumulate ? "value += f32(c[index]);" : ""}
            c[index] = Dtype(value);
          }
        }
      }
    }`,
});
