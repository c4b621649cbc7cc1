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
import {
  endOf,
  followingTile,
  gapOfQuery,
  groupGap,
  groupGapVariables,
  outsideGap,
  startOf,
  unusedBounds,
  type KeyGaps,
} from "./lib/attention-gaps.js";
import { computeMain } from "./lib/grid.js";
import { matrixCalls, subgroupMatrixEnables } from "./lib/subgroup-matrix.js";
import { wgsl } from "./wgsl.js";

/** What the gradients of q, of k and of v are specialised on. */
export type AttentionMatrixBackwardSpec = AttentionMatrixSpec & KeyGaps;

const variants = matrixVariants<AttentionMatrixBackwardSpec>(2, 256);

const examples = [
  { numHeads: 12, numKeyValueHeads: 2, headDim: 128 },
  { numHeads: 14, numKeyValueHeads: 2, headDim: 64 },
];
const gapExamples = examples.map((example, index) => ({ ...example, hasGaps: index === 1 }));

/** The formula of `attentionDq` for f16 operands on matrix units; dOut and statistics as the kernels above leave them. */
export const attentionMatrixDqKernel: Kernel<
  AttentionMatrixBackwardSpec,
  "q" | "k" | "v" | "starts" | "spans" | "dOut" | "statistics" | "dq",
  "numTokens"
> = defineKernel<AttentionMatrixBackwardSpec>()({
  name: "attentionMatrixDq",
  bindings: {
    q: read("vec4<u32>"),
    k: read("vec4<u32>"),
    v: read("vec4<u32>"),
    starts: read("u32"),
    spans: read("vec4<u32>"),
    dOut: read("vec4<u32>"),
    statistics: read("vec2<f32>"),
    dq: write("vec4<f32>"),
  },
  params: { numTokens: "u32" },
  variants,
  grid: ({ numTokens }, spec) => matrixGrid(numTokens, spec),
  unused: (spec) => [unusedBounds(spec)],
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples: gapExamples,
  wgsl: (spec) => wgsl`
      ${attentionMatrixHead(spec, 2)}
      ${groupGapVariables(spec)}
      ${fetchFunction("k", "v", "keyRow", "numTokens")}

      ${computeMain(spec)} {
        ${matrixRows(spec)}
        ${stageRows("q", "queryRow")}
        let start = ${startOf(spec, "token")};
        if (start <= token) { atomicMax(&reach, params.numTokens - start); }
        let firstKey = params.numTokens - workgroupUniformLoad(&reach);
        let lastKey = min(firstRow + ROWS, params.numTokens);
        ${gapOfQuery(spec)}
        ${groupGap(spec, "token", "numTokens")}
        ${loadRows(spec, "query")}
        workgroupBarrier();
        ${stageRows("dOut", "queryRow")}
        workgroupBarrier();
        ${loadRows(spec, "dy")}
        workgroupBarrier();

        let gradientScale = statistics[params.numTokens * NUM_HEADS].x;
        let statistic = vec2<f32>(1.0, gradientScale) * statistics[token * NUM_HEADS + head];
        ${perTile(spec, (i) => `var acc${i} = Sum();`)}
        ${fetchTile(spec, "firstKey", "head / GROUP", "var ")}
        for (var tile = firstKey; tile < lastKey; tile = ${followingTile(spec)}) {
          ${storeTile(spec)}
          workgroupBarrier();
          ${fetchTile(spec, followingTile(spec), "head / GROUP")}
          var score = Sum();
          ${addScores(spec, "score", "query", 0)}
          ${matrixCalls(spec.matrix).store("scores", "scorePlace", "SCORE_PITCH", "score")}
          var dWeight = Sum();
          ${addScores(spec, "dWeight", "dy", 1)}
          ${matrixCalls(spec.matrix).store("dScores", "scorePlace", "SCORE_PITCH", "dWeight")}
          workgroupBarrier();

          var dScore: array<vec4<f32>, 2>;
          for (var i = 0u; i < 2u; i++) {
            let keys = tile + part * 8u + i * 4u + vec4<u32>(0u, 1u, 2u, 3u);
            let isSeen = (keys >= vec4<u32>(start)) & (keys <= vec4<u32>(token))${outsideGap(spec, "keys", "four")};
            let weight = exp2(LOG2_E * (SCALE * scores[rowPlace + i] - statistic.x));
            dScore[i] = select(vec4<f32>(), weight * (dScores[rowPlace + i] - statistic.y), isSeen);
          }
          dWeights[row * WEIGHT_PITCH + part] = packEight(dScore[0], dScore[1]);
          workgroupBarrier();
          ${addWeighted(spec, "acc", "dWeights", 0)}
          workgroupBarrier();
        }
        let factor = SCALE / gradientScale;
        let outRow = (token * NUM_HEADS + head) * HEAD_DIM;
        ${forEachEight(
          spec,
          "acc",
          wgsl`
          dq[(outRow + feature) / 4u] = factor * low;
          dq[(outRow + feature) / 4u + 1u] = factor * high;`,
        )}
      }`,
});

/**
 * The formula of `attentionDkDv` for f16 operands on matrix units, but for each query head by itself: dk and dv are [numTokens, numHeads · headDim]
 * here, dv from element `valueOffset` on.
 */
export const attentionMatrixDkDvKernel: Kernel<
  AttentionMatrixBackwardSpec,
  "q" | "k" | "v" | "starts" | "ends" | "spans" | "dOut" | "statistics" | "dKeyValue",
  "numTokens" | "valueOffset"
> = defineKernel<AttentionMatrixBackwardSpec>()({
  name: "attentionMatrixDkDv",
  bindings: {
    q: read("vec4<u32>"),
    k: read("vec4<u32>"),
    v: read("vec4<u32>"),
    starts: read("u32"),
    ends: read("u32"),
    spans: read("vec4<u32>"),
    dOut: read("vec4<u32>"),
    statistics: read("vec2<f32>"),
    dKeyValue: write("vec4<f32>"),
  },
  params: { numTokens: "u32", valueOffset: "u32" },
  variants,
  grid: ({ numTokens }, spec) => matrixGrid(numTokens, spec),
  unused: (spec) => (spec.hasGaps ? ["starts", "ends"] : ["spans"]),
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples: gapExamples,
  wgsl: (spec) => wgsl`
      ${attentionMatrixHead(spec, 2)}
      var<workgroup> queryStarts: array<u32, TILE>;
      var<workgroup> queryStatistics: array<vec2<f32>, TILE>;
      ${spec.hasGaps ? "var<workgroup> queryGaps: array<vec2<u32>, TILE>;" : ""}
      ${fetchFunction("q", "dOut", "queryRow", "numTokens")}

      ${computeMain(spec)} {
        ${matrixRows(spec)}
        ${stageRows("k", "keyRow", "head / GROUP")}
        atomicMax(&reach, min(${endOf(spec, "token")}, params.numTokens));
        let lastQuery = workgroupUniformLoad(&reach);
        ${loadRows(spec, "key")}
        workgroupBarrier();
        ${stageRows("v", "keyRow", "head / GROUP")}
        workgroupBarrier();
        ${loadRows(spec, "value")}
        workgroupBarrier();

        let gradientScale = statistics[params.numTokens * NUM_HEADS].x;
        ${perTile(spec, (i) => `var dKey${i} = Sum();\nvar dValue${i} = Sum();`)}
        ${fetchTile(spec, "firstRow", "head", "var ")}
        for (var tile = firstRow; tile < lastQuery; tile += TILE) {
          ${storeTile(spec)}
          if (lane < TILE) {
            let query = min(tile + lane, params.numTokens - 1u);
            queryStarts[lane] = ${startOf(spec, "query")};
            ${spec.hasGaps ? "queryGaps[lane] = spans[query].yz;" : ""}
            queryStatistics[lane] = vec2<f32>(1.0, gradientScale) * statistics[query * NUM_HEADS + head];
          }
          workgroupBarrier();
          ${fetchTile(spec, "tile + TILE", "head")}
          var score = Sum();
          ${addScores(spec, "score", "key", 0)}
          ${matrixCalls(spec.matrix).store("scores", "scorePlace", "SCORE_PITCH", "score")}
          var dWeight = Sum();
          ${addScores(spec, "dWeight", "value", 1)}
          ${matrixCalls(spec.matrix).store("dScores", "scorePlace", "SCORE_PITCH", "dWeight")}
          workgroupBarrier();

          var weight: array<vec4<f32>, 2>;
          var dScore: array<vec4<f32>, 2>;
          for (var i = 0u; i < 2u; i++) {
            for (var j = 0u; j < 4u; j++) {
              let inTile = part * 8u + i * 4u + j;
              let statistic = queryStatistics[inTile];
              let isSeen = queryStarts[inTile] <= token && token <= tile + inTile && tile + inTile < lastQuery${outsideGap(spec, "token", "one", "queryGaps[inTile]")};
              weight[i][j] = select(0.0, exp2(LOG2_E * (SCALE * scores[rowPlace + i][j] - statistic.x)), isSeen);
              dScore[i][j] = weight[i][j] * (dScores[rowPlace + i][j] - statistic.y);
            }
          }
          weights[row * WEIGHT_PITCH + part] = packEight(weight[0], weight[1]);
          dWeights[row * WEIGHT_PITCH + part] = packEight(dScore[0], dScore[1]);
          workgroupBarrier();
          ${addWeighted(spec, "dKey", "dWeights", 0)}
          ${addWeighted(spec, "dValue", "weights", 1)}
          workgroupBarrier();
        }
        let factor = 1.0 / gradientScale;
        let outRow = (token * NUM_HEADS + head) * HEAD_DIM;
        ${forEachEight(
          spec,
          "dKey",
          wgsl`
          dKeyValue[(outRow + feature) / 4u] = SCALE * factor * low;
          dKeyValue[(outRow + feature) / 4u + 1u] = SCALE * factor * high;`,
        )}
        ${forEachEight(
          spec,
          "dValue",
          wgsl`
          dKeyValue[(params.valueOffset + outRow + feature) / 4u] = factor * low;
          dKeyValue[(params.valueOffset + outRow + feature) / 4u + 1u] = factor * high;`,
        )}
      }`,
});
