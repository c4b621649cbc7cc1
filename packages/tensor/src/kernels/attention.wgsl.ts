import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { attentionAddresses, perVector, type AttentionShape } from "./lib/attention.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * With score[t, j] = q[t] · k[j] / sqrt(headDim), for each query head, over the keys j of token t's row from starts[t] to t:
 *
 *   logSumExp[t] = log of the sum over j of exp(score[t, j])
 *   out[t] = sum over j of exp(score[t, j] − logSumExp[t]) · v[j]
 *
 * Both sums are carried along the keys (arXiv 1805.02867), so no matrix of scores exists.  f32, rounded once to `dtype`.
 * `plain`: one thread per query and head.
 */
export type AttentionSpec = AttentionShape & { inputType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const attentionKernel: Kernel<AttentionSpec, "q" | "k" | "v" | "starts" | "out" | "logSumExp", "numTokens"> = defineKernel<AttentionSpec>()({
  name: "attention",
  bindings: { q: read("vector<inputType>"), k: read("vector<inputType>"), v: read("vector<inputType>"), starts: read("u32"), out: write("vector<dtype>"), logSumExp: write("f32") },
  params: { numTokens: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  grid: ({ numTokens }, { numHeads, workgroupSize }) => oneThreadPer(numTokens * numHeads, workgroupSize),
  examples: [
    { inputType: "f32", dtype: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, vector: "vec4" },
    { inputType: "f16", dtype: "f16", numHeads: 12, numKeyValueHeads: 2, headDim: 128, vector: "vec4" },
  ],
  wgsl: (spec) => wgsl`
    ${attentionAddresses(spec)}

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (index >= params.numTokens * NUM_HEADS) { return; }
      let token = index / NUM_HEADS;
      let head = index % NUM_HEADS;
      let queryBase = queryRow(token, head);
      ${perVector(spec, (i) => `let query${i} = SCALE * Vector(q[queryBase + ${i}u]);`)}
      var acc: array<Vector, VECTORS>;
      var largest = -1e30;
      var total = 0.0;
      for (var key = starts[token]; key <= token; key++) {
        let base = keyRow(key, head / GROUP);
        var score = 0.0;
        ${perVector(spec, (i) => `score += dot(query${i}, Vector(k[base + ${i}u]));`)}
        let next = max(largest, score);
        let decay = exp(largest - next);
        let weight = exp(score - next);
        largest = next;
        total = total * decay + weight;
        ${perVector(spec, (i) => `acc[${i}] = acc[${i}] * decay + weight * Vector(v[base + ${i}u]);`)}
      }
      let seen = total > 0.0;
      let norm = select(0.0, 1.0 / total, seen);
      ${perVector(spec, (i) => `out[queryBase + ${i}u] = ${spec.vector}<Dtype>(norm * acc[${i}]);`)}
      logSumExp[index] = select(0.0, largest + log(total), seen);
    }`,
});
