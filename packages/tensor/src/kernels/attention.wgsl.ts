import type { FloatDtype } from "../dtype.js";
import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import {
  attentionEnables,
  attentionGrid,
  attentionHead,
  attentionVariants,
  groupVariables,
  keysOfGroup,
  laneOfRow,
  lanesOfRow,
  lastKeyOfQuery,
  perVector,
  type AttentionShape,
  type QueryPlaces,
  type RowSharing,
} from "./lib/attention.js";
import { followingTile, gapOfQuery, outsideGap, pastGap, startOf, unusedBounds, type KeyGaps } from "./lib/attention-gaps.js";
import { computeMain } from "./lib/grid.js";
import { unroll } from "./lib/unroll.js";
import { wgsl } from "./wgsl.js";

/**
 * With score[t, j] = q[t] · k[j] / sqrt(headDim), for each query head, over the keys j from starts[t] to the one at which query t stands: t, or
 * lastKeys[t] where there are queries for the `last` tokens alone; not over those in its gap.
 *
 *   logSumExp[t] = log of the sum over j of exp(score[t, j])
 *   out[t] = sum over j of exp(score[t, j] − logSumExp[t]) · v[j]
 *
 * Both sums are carried along the keys (arXiv 1805.02867), four keys at a time, so no matrix of scores exists.  f32, rounded once to `dtype`.
 */
export type AttentionSpec = AttentionShape & RowSharing & QueryPlaces & KeyGaps & { inputType: FloatDtype; dtype: FloatDtype };

export const attentionKernel: Kernel<
  AttentionSpec,
  "q" | "k" | "v" | "starts" | "lastKeys" | "spans" | "out" | "logSumExp",
  "numTokens" | "numKeys"
> = defineKernel<AttentionSpec>()({
  name: "attention",
  bindings: {
    q: read("vector<inputType>"),
    k: read("vector<inputType>"),
    v: read("vector<inputType>"),
    starts: read("u32"),
    lastKeys: read("u32"),
    spans: read("vec4<u32>"),
    out: write("vector<dtype>"),
    logSumExp: write("f32"),
  },
  params: { numTokens: "u32", numKeys: "u32" },
  variants: attentionVariants<AttentionSpec>(),
  grid: ({ numTokens }, spec) => attentionGrid(numTokens, spec.numHeads, spec),
  unused: (spec) => [unusedBounds(spec), ...(spec.queries === "all" ? (["lastKeys"] as const) : [])],
  enables: attentionEnables,
  examples: [
    { inputType: "f32", dtype: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, vector: "vec4", queries: "all", hasGaps: false },
    { inputType: "f16", dtype: "f16", numHeads: 12, numKeyValueHeads: 2, headDim: 128, vector: "vec4", queries: "all", hasGaps: true },
    { inputType: "f32", dtype: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, vector: "vec4", queries: "last", hasGaps: false },
  ],
  wgsl: (spec) => wgsl`
    ${attentionHead(spec)}
    ${spec.lanesPerRow === 1 ? "" : groupVariables(spec)}

    ${computeMain(spec)} {
      ${spec.lanesPerRow === 1 ? laneOfRow("NUM_HEADS") : lanesOfRow("NUM_HEADS")}
      ${lastKeyOfQuery(spec)}
      let queryBase = queryRow(token, head);
      ${perVector(
        spec,
        wgsl`
          let query@i = SCALE * Vector(q[queryBase + @place]);
          var acc@i: Vector;`,
      )}
      var largest = MASKED;
      var total = 0.0;
      ${spec.lanesPerRow === 1 ? keysInStorage(spec) : keysInTiles(spec)}
      let seen = ${startOf(spec, "token")} <= last; // from the data, not from the sum: an overflow must come out as NaN
      let norm = select(0.0, 1.0 / total, seen);
      ${perVector(spec, `out[queryBase + @place] = ${spec.vector}<Dtype>(norm * acc@i);`)}
      logSumExp[token * NUM_HEADS + head] = select(0.0, largest + log(total), seen);
    }`,
});

/** The keys of one query, straight from storage. */
function keysInStorage(spec: AttentionSpec): string {
  return wgsl`
    ${gapOfQuery(spec)}
    for (var key = ${startOf(spec, "token")}; key <= last; key += 4u) {
      ${pastGap(spec)}
      let isSeen = (key + FOUR <= vec4<u32>(last))${outsideGap(spec, "(key + FOUR)", "four")};
      ${unroll(4, "let base@n = keyRow(min(key + @nu, last), head / GROUP);", "@n")}
      var score = vec4<f32>();
      ${unroll(4, perVector(spec, "score[@n] += dot(query@i, Vector(k[base@n + @place]));"), "@n")}
      ${onlineSoftmax}
      ${perVector(spec, "acc@i *= decay;")}
      ${unroll(4, perVector(spec, "acc@i += weight[@n] * Vector(v[base@n + @place]);"), "@n")}
    }`;
}

/** The keys that a workgroup's queries see, through workgroup memory. */
function keysInTiles(spec: AttentionSpec): string {
  return wgsl`
    ${keysOfGroup(spec)}
    for (var tile = firstKey; tile < endKey; tile = ${followingTile(spec)}) {
      for (var i = lane; i < TILE * VECTORS; i += WORKGROUP_SIZE) {
        let source = keyRow(min(tile + i / VECTORS, params.numKeys - 1u), head / GROUP) + i % VECTORS;
        firstTile[i] = Vector(k[source]);
        secondTile[i] = Vector(v[source]);
      }
      workgroupBarrier();
      for (var inTile = 0u; inTile < TILE; inTile += 4u) {
        let keys = tile + inTile + FOUR;
        let isSeen = (keys >= vec4<u32>(start)) & (keys <= vec4<u32>(last))${outsideGap(spec, "keys", "four")};
        let base = inTile * VECTORS + slice;
        var partial = vec4<f32>();
        ${unroll(4, perVector(spec, "partial[@n] += dot(query@i, firstTile[base + @nu * VECTORS + @first]);"), "@n")}
        let score = rowSum(partial);
        ${onlineSoftmax}
        ${perVector(spec, "acc@i *= decay;")}
        ${unroll(4, perVector(spec, "acc@i += weight[@n] * secondTile[base + @nu * VECTORS + @first];"), "@n")}
      }
      workgroupBarrier();
    }
    if (row >= params.numTokens) { return; }`;
}

/** Turns four scores into weights relative to the largest score so far; `decay` does the same to earlier weights. */
const onlineSoftmax = wgsl`
  let visible = select(vec4<f32>(MASKED), score, isSeen);
  let next = max(max(largest, max(visible.x, visible.y)), max(visible.z, visible.w));
  let decay = exp(largest - next);
  let weight = select(vec4<f32>(), exp(visible - next), isSeen);
  largest = next;
  total = total * decay + dot(weight, vec4<f32>(1.0));`;
