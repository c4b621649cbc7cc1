import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
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
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { subgroupMatrixEnables } from "./lib/subgroup-matrix.js";
import { wgsl } from "./wgsl.js";

const variants = matrixVariants<AttentionMatrixSpec>(2, 256);

const examples = [
  { numHeads: 12, numKeyValueHeads: 2, headDim: 128 },
  { numHeads: 14, numKeyValueHeads: 2, headDim: 64 },
];

/**
 * For f16 operands on matrix units: statistics[t] = (logSumExp[t], delta[t]) as in `attentionStatistics`, and peak = the bits of the largest |dOut|.
 * Four lanes per query and head. `outVector` is vec4<u32> for out in f16, vec4<f32> for f32.
 */
export type AttentionMatrixStatisticsSpec = {
  numHeads: number;
  headDim: number;
  outVector: "vec4<u32>" | "vec4<f32>";
  workgroupSize: number;
};

export const attentionMatrixStatisticsKernel: Kernel<
  AttentionMatrixStatisticsSpec,
  "out" | "dOut" | "logSumExp" | "statistics" | "peak",
  "numRows"
> = defineKernel<AttentionMatrixStatisticsSpec>()({
  name: "attentionMatrixStatistics",
  bindings: {
    out: read("outVector"),
    dOut: read("vec4<f32>"),
    logSumExp: read("f32"),
    statistics: write("vec2<f32>"),
    peak: write("atomic<u32>"),
  },
  params: { numRows: "u32" },
  variants: [{ name: "subgroup", when: ({ subgroups }) => subgroups, spec: { workgroupSize: 256 } }],
  grid: ({ numRows }, { workgroupSize }) => oneThreadPer(4 * numRows, workgroupSize),
  enables: () => ["enable subgroups;"],
  examples: examples.map((example) => ({ ...example, outVector: "vec4<u32>" })),
  wgsl: (spec) => wgsl`
      fn outPair(i: u32) -> array<vec4<f32>, 2> {
        ${spec.outVector === "vec4<u32>" ? unpackEight : "return array<vec4<f32>, 2>(out[2u * i], out[2u * i + 1u]);"}
      }

      ${computeMain(spec)} {
        let thread = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        let row = min(thread / 4u, params.numRows - 1u);
        var partial = 0.0;
        var largest = 0.0;
        for (var i = row * HEAD_DIM / 8u + thread % 4u; i < (row + 1u) * HEAD_DIM / 8u; i += 4u) {
          let eight = outPair(i);
          let low = dOut[2u * i];
          let high = dOut[2u * i + 1u];
          partial += dot(eight[0], low) + dot(eight[1], high);
          let larger = max(abs(low), abs(high));
          largest = max(largest, max(max(larger.x, larger.y), max(larger.z, larger.w)));
        }
        let pair = partial + subgroupShuffleXor(partial, 1u);
        let delta = pair + subgroupShuffleXor(pair, 2u);
        let subgroupLargest = subgroupMax(largest);
        if (subgroupElect()) { atomicMax(&peak[0], bitcast<u32>(subgroupLargest)); } // bits of floats above 0 are ordered as the floats are
        if (thread < 4u * params.numRows && thread % 4u == 0u) { statistics[row] = vec2<f32>(logSumExp[row], delta); }
      }`,
});

const unpackEight = wgsl`
  let packed = out[i];
  return array<vec4<f32>, 2>(
    vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );`;

/**
 * half[i] = dOut[i] · gradientScale rounded to f16, where gradientScale is the power of two that brings the largest |dOut| into 1 … 2: gradients
 * may be too small for f16. Leaves (gradientScale, 0) in the last row of statistics.  Eight elements a thread.
 */
export type AttentionMatrixGradientSpec = { workgroupSize: number };

export const attentionMatrixGradientKernel: Kernel<
  AttentionMatrixGradientSpec,
  "dOut" | "peak" | "half" | "statistics",
  "size" | "numRows"
> = defineKernel<AttentionMatrixGradientSpec>()({
  name: "attentionMatrixGradient",
  bindings: { dOut: read("vec4<f32>"), peak: read("u32"), half: write("vec4<u32>"), statistics: write("vec2<f32>") },
  params: { size: "u32", numRows: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 256 } }],
  cost: ({ size }) => ({ bytes: 6 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size / 8, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
      ${computeMain(spec)} {
        let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        if (i >= params.size / 8u) { return; }
        let exponent = peak[0] >> 23u; // 2^(exponent − 127) ≤ peak; 0 for 0, 255 for NaN, which stays one
        let gradientScale = select(1.0, bitcast<f32>((254u - exponent) << 23u), exponent > 0u && exponent < 254u);
        let low = gradientScale * dOut[2u * i];
        let high = gradientScale * dOut[2u * i + 1u];
        half[i] = vec4<u32>(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
        if (i == 0u) { statistics[params.numRows] = vec2<f32>(gradientScale, 0.0); }
      }`,
});

/** The formula of `attentionDq` for f16 operands on matrix units; dOut and statistics as the kernels above leave them. */
export const attentionMatrixDqKernel: Kernel<AttentionMatrixSpec, "q" | "k" | "v" | "starts" | "dOut" | "statistics" | "dq", "numTokens"> =
  defineKernel<AttentionMatrixSpec>()({
    name: "attentionMatrixDq",
    bindings: {
      q: read("vec4<u32>"),
      k: read("vec4<u32>"),
      v: read("vec4<u32>"),
      starts: read("u32"),
      dOut: read("vec4<u32>"),
      statistics: read("vec2<f32>"),
      dq: write("vec4<f32>"),
    },
    params: { numTokens: "u32" },
    variants,
    grid: ({ numTokens }, spec) => matrixGrid(numTokens, spec),
    enables: ({ matrix }) => subgroupMatrixEnables(matrix),
    examples,
    wgsl: (spec) => wgsl`
      ${attentionMatrixHead(spec, 2)}
      ${fetchFunction("k", "v", "keyRow", "numTokens")}

      ${computeMain(spec)} {
        ${matrixRows(spec)}
        ${stageRows("q", "queryRow")}
        let start = starts[token];
        if (start <= token) { atomicMax(&reach, params.numTokens - start); }
        let firstKey = params.numTokens - workgroupUniformLoad(&reach);
        let lastKey = min(firstRow + ROWS, params.numTokens);
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
        for (var tile = firstKey; tile < lastKey; tile += TILE) {
          ${storeTile(spec)}
          workgroupBarrier();
          ${fetchTile(spec, "tile + TILE", "head / GROUP")}
          var score = Sum();
          ${addScores(spec, "score", "query", 0)}
          scoresStore(scorePlace, SCORE_PITCH, score);
          var dWeight = Sum();
          ${addScores(spec, "dWeight", "dy", 1)}
          dScoresStore(scorePlace, SCORE_PITCH, dWeight);
          workgroupBarrier();

          var dScore: array<vec4<f32>, 2>;
          for (var i = 0u; i < 2u; i++) {
            let keys = tile + part * 8u + i * 4u + vec4<u32>(0u, 1u, 2u, 3u);
            let isSeen = (keys >= vec4<u32>(start)) & (keys <= vec4<u32>(token));
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
  AttentionMatrixSpec,
  "q" | "k" | "v" | "starts" | "ends" | "dOut" | "statistics" | "dKeyValue",
  "numTokens" | "valueOffset"
> = defineKernel<AttentionMatrixSpec>()({
  name: "attentionMatrixDkDv",
  bindings: {
    q: read("vec4<u32>"),
    k: read("vec4<u32>"),
    v: read("vec4<u32>"),
    starts: read("u32"),
    ends: read("u32"),
    dOut: read("vec4<u32>"),
    statistics: read("vec2<f32>"),
    dKeyValue: write("vec4<f32>"),
  },
  params: { numTokens: "u32", valueOffset: "u32" },
  variants,
  grid: ({ numTokens }, spec) => matrixGrid(numTokens, spec),
  enables: ({ matrix }) => subgroupMatrixEnables(matrix),
  examples,
  wgsl: (spec) => wgsl`
      ${attentionMatrixHead(spec, 2)}
      var<workgroup> queryStarts: array<u32, TILE>;
      var<workgroup> queryStatistics: array<vec2<f32>, TILE>;
      ${fetchFunction("q", "dOut", "queryRow", "numTokens")}

      ${computeMain(spec)} {
        ${matrixRows(spec)}
        ${stageRows("k", "keyRow", "head / GROUP")}
        atomicMax(&reach, min(ends[token], params.numTokens));
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
            queryStarts[lane] = starts[query];
            queryStatistics[lane] = vec2<f32>(1.0, gradientScale) * statistics[query * NUM_HEADS + head];
          }
          workgroupBarrier();
          ${fetchTile(spec, "tile + TILE", "head")}
          var score = Sum();
          ${addScores(spec, "score", "key", 0)}
          scoresStore(scorePlace, SCORE_PITCH, score);
          var dWeight = Sum();
          ${addScores(spec, "dWeight", "value", 1)}
          dScoresStore(scorePlace, SCORE_PITCH, dWeight);
          workgroupBarrier();

          var weight: array<vec4<f32>, 2>;
          var dScore: array<vec4<f32>, 2>;
          for (var i = 0u; i < 2u; i++) {
            for (var j = 0u; j < 4u; j++) {
              let inTile = part * 8u + i * 4u + j;
              let statistic = queryStatistics[inTile];
              let isSeen = queryStarts[inTile] <= token && token <= tile + inTile && tile + inTile < lastQuery;
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

/** y[token, keyHead, :] = sum over the query heads of keyHead's group, in order, of x[token, head, :].  One vec4 a thread; two matrices, at their offsets. */
export type AttentionGroupSumSpec = { numKeyValueHeads: number; groupSize: number; headDim: number; workgroupSize: number };

export const attentionGroupSumKernel: Kernel<AttentionGroupSumSpec, "x" | "y", "numTokens" | "xOffset" | "yOffset"> =
  defineKernel<AttentionGroupSumSpec>()({
    name: "attentionGroupSum",
    bindings: { x: read("vec4<f32>"), y: write("vec4<f32>") },
    params: { numTokens: "u32", xOffset: "u32", yOffset: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 256 } }],
    grid: ({ numTokens }, { numKeyValueHeads, headDim, workgroupSize }) =>
      oneThreadPer((2 * numTokens * numKeyValueHeads * headDim) / 4, workgroupSize),
    examples: [{ numKeyValueHeads: 2, groupSize: 6, headDim: 128 }],
    wgsl: (spec) => wgsl`
    const VECTORS = HEAD_DIM / 4u;

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let count = params.numTokens * NUM_KEY_VALUE_HEADS * VECTORS;
      if (index >= 2u * count) { return; }
      let matrix = index / count;
      let i = index % count;
      let base = matrix * params.xOffset / 4u + i / VECTORS * GROUP_SIZE * VECTORS + i % VECTORS;
      var total = vec4<f32>();
      for (var member = 0u; member < GROUP_SIZE; member++) { total += x[base + member * VECTORS]; }
      y[matrix * params.yOffset / 4u + i] = total;
    }`,
  });
