import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import {
  addScores,
  addWeighted,
  attentionMatrixHead,
  fetchFunction,
  fetchTile,
  forEachEight,
  loadRows,
  matrixGrid,
  matrixRows,
  matrixVariants,
  perTile,
  stageRows,
  storeTile,
  type AttentionMatrixSpec,
} from "./lib/attention-matrix.js";
import { groupVariables, keysOfGroup, lastKeyOfQuery, type QueryPlaces } from "./lib/attention.js";
import { followingTile, outsideGap, unusedBounds, type KeyGaps } from "./lib/attention-gaps.js";
import { computeMain } from "./lib/grid.js";
import { sumOfFourLanes } from "./lib/reduce.js";
import { matrixCalls, subgroupMatrixEnables } from "./lib/subgroup-matrix.js";
import { wgsl } from "./wgsl.js";

/**
 * The formula of `attention` for f16 q, k, v on matrix units. `outVector` is vec4<u32> for a result in f16, vec4<f32> for one in f32.
 *
 * Sums stay in matrices, whose rows cannot be scaled one by one. So weights are relative not to the largest score so far but to a reference that
 * follows it only when it is more than 2⁸ behind; then, rarely, the sums go through workgroup memory. Scores are in units of ln 2.
 */
export type AttentionMatrixForwardSpec = AttentionMatrixSpec & QueryPlaces & KeyGaps & { outVector: "vec4<u32>" | "vec4<f32>" };

export const attentionMatrixKernel: Kernel<
  AttentionMatrixForwardSpec,
  "q" | "k" | "v" | "starts" | "lastKeys" | "spans" | "out" | "logSumExp",
  "numTokens" | "numKeys"
> = defineKernel<AttentionMatrixForwardSpec>()({
  name: "attentionMatrix",
  bindings: {
    q: read("vec4<u32>"),
    k: read("vec4<u32>"),
    v: read("vec4<u32>"),
    starts: read("u32"),
    lastKeys: read("u32"),
    spans: read("vec4<u32>"),
    out: write("outVector"),
    logSumExp: write("f32"),
  },
  params: { numTokens: "u32", numKeys: "u32" },
  variants: matrixVariants<AttentionMatrixForwardSpec>(1, 256),
  grid: ({ numTokens }, spec) => matrixGrid(numTokens, spec),
  unused: (spec) => [unusedBounds(spec), ...(spec.queries === "all" ? (["lastKeys"] as const) : [])],
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples: [
    { numHeads: 12, numKeyValueHeads: 2, headDim: 128, outVector: "vec4<u32>", queries: "all", hasGaps: false },
    { numHeads: 14, numKeyValueHeads: 2, headDim: 64, outVector: "vec4<f32>", queries: "all", hasGaps: true },
    { numHeads: 12, numKeyValueHeads: 2, headDim: 128, outVector: "vec4<u32>", queries: "last", hasGaps: false },
  ],
  wgsl: (spec) => wgsl`
    ${attentionMatrixHead(spec, 1)}
    var<workgroup> isStale: u32;
    ${groupVariables(spec)}
    ${fetchFunction("k", "v", "keyRow", "numKeys")}

    ${sumOfFourLanes("rowSum", "f32")}
    fn rowMax(value: f32) -> f32 {
      let pair = max(value, subgroupShuffleXor(value, 1u));
      return max(pair, subgroupShuffleXor(pair, 2u));
    }

    ${computeMain(spec)} {
      ${matrixRows(spec)}
      ${stageRows("q", "queryRow")}
      ${lastKeyOfQuery(spec)}
      ${keysOfGroup(spec)}
      ${loadRows(spec, "query")}
      workgroupBarrier();

      ${perTile(spec, (i) => `var acc${i} = Sum();`)}
      var reference = MASKED;
      var total = 0.0;
      ${fetchTile(spec, "firstKey", "head / GROUP", "var ")}
      for (var tile = firstKey; tile < endKey; tile = ${followingTile(spec)}) {
        ${storeTile(spec)}
        workgroupBarrier();
        ${fetchTile(spec, followingTile(spec), "head / GROUP")}
        var score = Sum();
        ${addScores(spec, "score", "query", 0)}
        ${matrixCalls(spec.matrix).store("scores", "scorePlace", "SCORE_PITCH", "score")}
        workgroupBarrier();

        let keys = tile + part * 8u + vec4<u32>(0u, 1u, 2u, 3u);
        let isSeenLow = (keys >= vec4<u32>(start)) & (keys <= vec4<u32>(last))${outsideGap(spec, "keys", "four")};
        let isSeenHigh = (keys + 4u >= vec4<u32>(start)) & (keys + 4u <= vec4<u32>(last))${outsideGap(spec, "(keys + 4u)", "four")};
        let low = select(vec4<f32>(MASKED), SCALE * LOG2_E * scores[rowPlace], isSeenLow);
        let high = select(vec4<f32>(MASKED), SCALE * LOG2_E * scores[rowPlace + 1u], isSeenHigh);
        let larger = max(low, high);
        let largest = rowMax(max(max(larger.x, larger.y), max(larger.z, larger.w)));
        let isFirst = total == 0.0;
        let isBehind = largest > reference + 8.0;
        let decay = select(1.0, exp2(reference - largest), isBehind && !isFirst);
        if (isBehind && !isFirst) { isStale = 1u; }
        reference = select(reference, largest, isBehind);
        let lowWeight = select(vec4<f32>(), exp2(low - reference), isSeenLow);
        let highWeight = select(vec4<f32>(), exp2(high - reference), isSeenHigh);
        total = total * decay + rowSum(dot(lowWeight + highWeight, vec4<f32>(1.0)));
        weights[row * WEIGHT_PITCH + part] = packEight(lowWeight, highWeight);

        if (workgroupUniformLoad(&isStale) != 0u) {
          if (lane == 0u) { isStale = 0u; }
          ${perTile(
            spec,
            (i) => wgsl`
              ${matrixCalls(spec.matrix).store("scores", "scorePlace", "SCORE_PITCH", `acc${i}`)}
              workgroupBarrier();
              scores[rowPlace] *= decay;
              scores[rowPlace + 1u] *= decay;
              workgroupBarrier();
              acc${i} = ${matrixCalls(spec.matrix).load("scores", "scorePlace", "SCORE_PITCH")};
              workgroupBarrier();`,
          )}
        }
        ${addWeighted(spec, "acc", "weights", 1)}
        workgroupBarrier();
      }

      let isAny = isToken && start <= last; // from the data, not from the sum: an overflow must come out as NaN
      let norm = select(0.0, 1.0 / total, isAny);
      if (isToken && part == 0u) { logSumExp[token * NUM_HEADS + head] = select(0.0, (reference + log2(total)) / LOG2_E, isAny); }
      let outRow = (token * NUM_HEADS + head) * HEAD_DIM;
      ${forEachEight(spec, "acc", spec.outVector === "vec4<u32>" ? storeHalves : storeFloats)}
    }`,
});

const storeHalves = wgsl`out[(outRow + feature) / 8u] = packEight(norm * low, norm * high);`;

const storeFloats = wgsl`
  out[(outRow + feature) / 4u] = norm * low;
  out[(outRow + feature) / 4u + 1u] = norm * high;`;
