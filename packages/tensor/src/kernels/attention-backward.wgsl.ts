import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { attentionAddresses, perVector, type AttentionShape } from "./lib/attention.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const examples = [
  { inputType: "f32", outType: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, vector: "vec4" },
  { inputType: "f16", outType: "f16", numHeads: 12, numKeyValueHeads: 2, headDim: 128, vector: "vec4" },
] as const;

/** delta[t] = sum over the head's features of dOut[t] · out[t], for each query head.  One thread per query and head, f32. */
export type AttentionDeltaSpec = AttentionShape & { outType: FloatDtype; workgroupSize: number };

export const attentionDeltaKernel: Kernel<AttentionDeltaSpec, "out" | "dOut" | "delta", "numTokens"> = defineKernel<AttentionDeltaSpec>()({
  name: "attentionDelta",
  bindings: { out: read("vector<outType>"), dOut: read("vector<f32>"), delta: write("f32") },
  params: { numTokens: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  grid: ({ numTokens }, { numHeads, workgroupSize }) => oneThreadPer(numTokens * numHeads, workgroupSize),
  examples: [...examples],
  wgsl: (spec) => wgsl`
    ${attentionAddresses(spec)}

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (index >= params.numTokens * NUM_HEADS) { return; }
      let base = index * VECTORS;
      var total = 0.0;
      ${perVector(spec, (i) => `total += dot(Vector(out[base + ${i}u]), dOut[base + ${i}u]);`)}
      delta[index] = total;
    }`,
});

/**
 * With p[t, j] = exp(score[t, j] − logSumExp[t]) and dScore[t, j] = p[t, j] · (dOut[t] · v[j] − delta[t]), for each query head:
 *
 *   dq[t] = sum over keys j of token t of dScore[t, j] · k[j] / sqrt(headDim)
 *
 * `plain`: one thread per query and head.
 */
export type AttentionBackwardSpec = AttentionShape & { inputType: FloatDtype; workgroupSize: number };

export const attentionDqKernel: Kernel<AttentionBackwardSpec, "q" | "k" | "v" | "starts" | "dOut" | "logSumExp" | "delta" | "dq", "numTokens"> = defineKernel<AttentionBackwardSpec>()({
  name: "attentionDq",
  bindings: {
    q: read("vector<inputType>"),
    k: read("vector<inputType>"),
    v: read("vector<inputType>"),
    starts: read("u32"),
    dOut: read("vector<f32>"),
    logSumExp: read("f32"),
    delta: read("f32"),
    dq: write("vector<f32>"),
  },
  params: { numTokens: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  grid: ({ numTokens }, { numHeads, workgroupSize }) => oneThreadPer(numTokens * numHeads, workgroupSize),
  examples: [...examples],
  wgsl: (spec) => wgsl`
    ${attentionAddresses(spec)}

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (index >= params.numTokens * NUM_HEADS) { return; }
      let token = index / NUM_HEADS;
      let head = index % NUM_HEADS;
      let queryBase = queryRow(token, head);
      ${perVector(spec, (i) => `let query${i} = SCALE * Vector(q[queryBase + ${i}u]);\nlet dy${i} = dOut[queryBase + ${i}u];`)}
      let shift = logSumExp[index];
      let mean = delta[index];
      var acc: array<Vector, VECTORS>;
      for (var key = starts[token]; key <= token; key++) {
        let base = keyRow(key, head / GROUP);
        var score = 0.0;
        var dWeight = 0.0;
        ${perVector(spec, (i) => `let key${i} = Vector(k[base + ${i}u]);\nscore += dot(query${i}, key${i});\ndWeight += dot(dy${i}, Vector(v[base + ${i}u]));`)}
        let dScore = exp(score - shift) * (dWeight - mean);
        ${perVector(spec, (i) => `acc[${i}] += dScore * key${i};`)}
      }
      ${perVector(spec, (i) => `dq[queryBase + ${i}u] = SCALE * acc[${i}];`)}
    }`,
});

/**
 * With p and dScore as above, summed over the query heads of the key head's group and over the tokens t of key j's row from j on:
 *
 *   dv[j] = sum of p[t, j] · dOut[t],  dk[j] = sum of dScore[t, j] · q[t] / sqrt(headDim)
 *
 * `plain`: one thread per key and key head, queries in order.
 */
export const attentionDkDvKernel: Kernel<AttentionBackwardSpec, "q" | "k" | "v" | "starts" | "ends" | "dOut" | "logSumExp" | "delta" | "dk" | "dv", "numTokens"> =
  defineKernel<AttentionBackwardSpec>()({
    name: "attentionDkDv",
    bindings: {
      q: read("vector<inputType>"),
      k: read("vector<inputType>"),
      v: read("vector<inputType>"),
      starts: read("u32"),
      ends: read("u32"),
      dOut: read("vector<f32>"),
      logSumExp: read("f32"),
      delta: read("f32"),
      dk: write("vector<f32>"),
      dv: write("vector<f32>"),
    },
    params: { numTokens: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    grid: ({ numTokens }, { numKeyValueHeads, workgroupSize }) => oneThreadPer(numTokens * numKeyValueHeads, workgroupSize),
    examples: [...examples],
    wgsl: (spec) => wgsl`
      ${attentionAddresses(spec)}

      ${computeMain(spec)} {
        let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        if (index >= params.numTokens * NUM_KEY_VALUE_HEADS) { return; }
        let key = index / NUM_KEY_VALUE_HEADS;
        let firstHead = index % NUM_KEY_VALUE_HEADS * GROUP;
        let base = index * VECTORS;
        ${perVector(spec, (i) => `let key${i} = SCALE * Vector(k[base + ${i}u]);\nlet value${i} = Vector(v[base + ${i}u]);`)}
        var dKey: array<Vector, VECTORS>;
        var dValue: array<Vector, VECTORS>;
        for (var token = key; token < min(ends[key], params.numTokens); token++) {
          if (starts[token] > key) { continue; }
          for (var head = firstHead; head < firstHead + GROUP; head++) {
            let queryBase = queryRow(token, head);
            let row = token * NUM_HEADS + head;
            var score = 0.0;
            var dWeight = 0.0;
            ${perVector(
              spec,
              (i) =>
                `let query${i} = Vector(q[queryBase + ${i}u]);\nlet dy${i} = dOut[queryBase + ${i}u];\nscore += dot(query${i}, key${i});\ndWeight += dot(dy${i}, value${i});`,
            )}
            let weight = exp(score - logSumExp[row]);
            let dScore = weight * (dWeight - delta[row]);
            ${perVector(spec, (i) => `dValue[${i}] += weight * dy${i};\ndKey[${i}] += dScore * query${i};`)}
          }
        }
        ${perVector(spec, (i) => `dk[base + ${i}u] = SCALE * dKey[${i}];\ndv[base + ${i}u] = dValue[${i}];`)}
      }`,
  });
