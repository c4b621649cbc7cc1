import type { FloatDtype } from "../dtype.js";
import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import {
  attentionEnables,
  attentionGrid,
  attentionHead,
  attentionVariants,
  laneOfRow,
  lanesOfRow,
  perVector,
  type AttentionShape,
  type RowSharing,
} from "./lib/attention.js";
import {
  endOf,
  followingTile,
  gapOfQuery,
  groupGap,
  groupGapVariables,
  outsideGap,
  pastGap,
  startOf,
  unusedBounds,
  type KeyGaps,
} from "./lib/attention-gaps.js";
import { computeMain } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const examples = [
  { inputType: "f32", outType: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, vector: "vec4" },
  { inputType: "f16", outType: "f16", numHeads: 12, numKeyValueHeads: 2, headDim: 128, vector: "vec4" },
] as const;

/**
 * With p[t, j] = exp(score[t, j] − logSumExp[t]) and dScore[t, j] = p[t, j] · (dOut[t] · v[j] − delta[t]), for each query head:
 *
 *   dq[t] = sum over the keys j of token t of dScore[t, j] · k[j] / sqrt(headDim)
 */
export type AttentionBackwardSpec = AttentionShape & RowSharing & KeyGaps & { inputType: FloatDtype };

const gapExamples = examples.map((example) => ({ ...example, hasGaps: example.inputType === "f16" }));

export const attentionDqKernel: Kernel<
  AttentionBackwardSpec,
  "q" | "k" | "v" | "starts" | "spans" | "dOut" | "statistics" | "dq",
  "numTokens"
> = defineKernel<AttentionBackwardSpec>()({
  name: "attentionDq",
  bindings: {
    q: read("vector<inputType>"),
    k: read("vector<inputType>"),
    v: read("vector<inputType>"),
    starts: read("u32"),
    spans: read("vec4<u32>"),
    dOut: read("vector<f32>"),
    statistics: read("vec2<f32>"),
    dq: write("vector<f32>"),
  },
  params: { numTokens: "u32" },
  variants: attentionVariants<AttentionBackwardSpec>(),
  grid: ({ numTokens }, spec) => attentionGrid(numTokens, spec.numHeads, spec),
  unused: (spec) => [unusedBounds(spec)],
  enables: attentionEnables,
  examples: gapExamples,
  wgsl: (spec) => wgsl`
    ${attentionHead(spec)}
    ${spec.lanesPerRow === 1 ? "" : groupGapVariables(spec)}

    ${computeMain(spec)} {
      ${spec.lanesPerRow === 1 ? laneOfRow("NUM_HEADS") : lanesOfRow("NUM_HEADS")}
      let queryBase = queryRow(token, head);
      ${perVector(
        spec,
        wgsl`
          let query@i = SCALE * Vector(q[queryBase + @place]);
          let dy@i = dOut[queryBase + @place];
          var acc@i: Vector;`,
      )}
      let statistic = statistics[token * NUM_HEADS + head];
      ${spec.lanesPerRow === 1 ? dqFromStorage(spec) : dqFromTiles(spec)}
      ${perVector(spec, "dq[queryBase + @place] = SCALE * acc@i;")}
    }`,
});

function dqFromStorage(spec: AttentionBackwardSpec): string {
  return wgsl`
    ${gapOfQuery(spec)}
    for (var key = ${startOf(spec, "token")}; key <= token; key++) {
      ${pastGap(spec)}
      let base = keyRow(key, head / GROUP);
      var score = 0.0;
      var dWeight = 0.0;
      ${perVector(
        spec,
        wgsl`
          let key@i = Vector(k[base + @place]);
          score += dot(query@i, key@i);
          dWeight += dot(dy@i, Vector(v[base + @place]));`,
      )}
      let dScore = exp(score - statistic.x) * (dWeight - statistic.y);
      ${perVector(spec, "acc@i += dScore * key@i;")}
    }`;
}

function dqFromTiles(spec: AttentionBackwardSpec): string {
  return wgsl`
    let start = ${startOf(spec, "token")};
    if (start <= token) { atomicMax(&reach, params.numTokens - start); }
    let firstKey = params.numTokens - workgroupUniformLoad(&reach);
    ${gapOfQuery(spec)}
    ${groupGap(spec, "token", "numTokens")}
    for (var tile = firstKey; tile < min(firstRow + ROWS, params.numTokens); tile = ${followingTile(spec)}) {
      for (var i = lane; i < TILE * VECTORS; i += WORKGROUP_SIZE) {
        let source = keyRow(min(tile + i / VECTORS, params.numTokens - 1u), head / GROUP) + i % VECTORS;
        firstTile[i] = Vector(k[source]);
        secondTile[i] = Vector(v[source]);
      }
      workgroupBarrier();
      for (var inTile = 0u; inTile < TILE; inTile++) {
        let base = inTile * VECTORS + slice;
        var partial = vec2<f32>();
        ${perVector(
          spec,
          wgsl`
            let key@i = firstTile[base + @first];
            partial += vec2<f32>(dot(query@i, key@i), dot(dy@i, secondTile[base + @first]));`,
        )}
        let sums = rowSumPair(partial);
        let isSeen = start <= tile + inTile && tile + inTile <= token${outsideGap(spec, "(tile + inTile)", "one")};
        let dScore = select(0.0, exp(sums.x - statistic.x) * (sums.y - statistic.y), isSeen);
        ${perVector(spec, "acc@i += dScore * key@i;")}
      }
      workgroupBarrier();
    }
    if (row >= params.numTokens) { return; }`;
}

/**
 * With p and dScore as above, summed over the query heads of the key head's group and over the tokens t of key j's row from j on, in this order:
 *
 *   dk[j] = sum of dScore[t, j] · q[t] / sqrt(headDim),  dv[j] = sum of p[t, j] · dOut[t]
 *
 * Both lie in `dKeyValue`, dv from vector `valueOffset` on.
 */
export const attentionDkDvKernel: Kernel<
  AttentionBackwardSpec,
  "q" | "k" | "v" | "starts" | "ends" | "spans" | "dOut" | "statistics" | "dKeyValue",
  "numTokens" | "valueOffset"
> = defineKernel<AttentionBackwardSpec>()({
  name: "attentionDkDv",
  bindings: {
    q: read("vector<inputType>"),
    k: read("vector<inputType>"),
    v: read("vector<inputType>"),
    starts: read("u32"),
    ends: read("u32"),
    spans: read("vec4<u32>"),
    dOut: read("vector<f32>"),
    statistics: read("vec2<f32>"),
    dKeyValue: write("vector<f32>"),
  },
  params: { numTokens: "u32", valueOffset: "u32" },
  variants: attentionVariants<AttentionBackwardSpec>(),
  grid: ({ numTokens }, spec) => attentionGrid(numTokens, spec.numKeyValueHeads, spec),
  unused: (spec) => (spec.hasGaps ? ["starts", "ends"] : ["spans"]),
  enables: attentionEnables,
  examples: gapExamples,
  wgsl: (spec) => wgsl`
      ${attentionHead(spec)}
      ${spec.lanesPerRow === 4 && spec.hasGaps ? "var<workgroup> gapTile: array<vec2<u32>, TILE>;" : ""}

      ${computeMain(spec)} {
        ${spec.lanesPerRow === 1 ? laneOfRow("NUM_KEY_VALUE_HEADS") : lanesOfRow("NUM_KEY_VALUE_HEADS")}
        let keyBase = keyRow(token, head);
        ${perVector(
          spec,
          wgsl`
            let key@i = SCALE * Vector(k[keyBase + @place]);
            let value@i = Vector(v[keyBase + @place]);
            var dKey@i: Vector;
            var dValue@i: Vector;`,
        )}
        ${spec.lanesPerRow === 1 ? dkDvFromStorage(spec) : dkDvFromTiles(spec)}
        ${perVector(
          spec,
          wgsl`
            dKeyValue[keyBase + @place] = SCALE * dKey@i;
            dKeyValue[params.valueOffset + keyBase + @place] = dValue@i;`,
        )}
      }`,
});

function dkDvFromStorage(spec: AttentionBackwardSpec): string {
  return wgsl`
    for (var query = token; query < min(${endOf(spec, "token")}, params.numTokens); query++) {
      if (!(${startOf(spec, "query")} <= token${outsideGap(spec, "token", "one", "spans[query].yz")})) { continue; }
      for (var queryHead = head * GROUP; queryHead < (head + 1u) * GROUP; queryHead++) {
        let base = queryRow(query, queryHead);
        let statistic = statistics[query * NUM_HEADS + queryHead];
        var score = 0.0;
        var dWeight = 0.0;
        ${perVector(
          spec,
          wgsl`
            let query@i = Vector(q[base + @place]);
            let dy@i = dOut[base + @place];
            score += dot(query@i, key@i);
            dWeight += dot(dy@i, value@i);`,
        )}
        let weight = exp(score - statistic.x);
        let dScore = weight * (dWeight - statistic.y);
        ${perVector(
          spec,
          wgsl`
            dValue@i += weight * dy@i;
            dKey@i += dScore * query@i;`,
        )}
      }
    }`;
}

function dkDvFromTiles(spec: AttentionBackwardSpec): string {
  return wgsl`
    atomicMax(&reach, min(${endOf(spec, "token")}, params.numTokens));
    let lastQuery = workgroupUniformLoad(&reach);
    for (var queryHead = head * GROUP; queryHead < (head + 1u) * GROUP; queryHead++) {
      for (var tile = firstRow; tile < lastQuery; tile += TILE) {
        for (var i = lane; i < TILE * VECTORS; i += WORKGROUP_SIZE) {
          let source = queryRow(min(tile + i / VECTORS, params.numTokens - 1u), queryHead) + i % VECTORS;
          firstTile[i] = Vector(q[source]);
          secondTile[i] = dOut[source];
        }
        if (lane < TILE) {
          let query = min(tile + lane, params.numTokens - 1u);
          startTile[lane] = ${startOf(spec, "query")};
          ${spec.hasGaps ? "gapTile[lane] = spans[query].yz;" : ""}
          statisticTile[lane] = statistics[query * NUM_HEADS + queryHead];
        }
        workgroupBarrier();
        for (var inTile = 0u; inTile < TILE; inTile++) {
          let base = inTile * VECTORS + slice;
          var partial = vec2<f32>();
          ${perVector(
            spec,
            wgsl`
              let query@i = firstTile[base + @first];
              let dy@i = secondTile[base + @first];
              partial += vec2<f32>(dot(query@i, key@i), dot(dy@i, value@i));`,
          )}
          let sums = rowSumPair(partial);
          let isSeen = startTile[inTile] <= token && token <= tile + inTile && tile + inTile < lastQuery${outsideGap(spec, "token", "one", "gapTile[inTile]")};
          let weight = select(0.0, exp(sums.x - statisticTile[inTile].x), isSeen);
          let dScore = weight * (sums.y - statisticTile[inTile].y);
          ${perVector(
            spec,
            wgsl`
              dValue@i += weight * dy@i;
              dKey@i += dScore * query@i;`,
          )}
        }
        workgroupBarrier();
      }
    }
    if (row >= params.numTokens) { return; }`;
}
