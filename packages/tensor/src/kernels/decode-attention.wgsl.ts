import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import type { AttentionShape } from "./lib/attention.js";
import { computeMain, oneGroupPer, oneThreadPer } from "./lib/grid.js";
import { unroll } from "./lib/unroll.js";
import { wgsl } from "./wgsl.js";

/** Keys that are looked at together; splits are multiples of it. */
export const decodeTile = 64;

/** The shape of a cache in pages: rows of `pageSize` tokens that lie together. */
export type DecodeAttentionSpec = AttentionShape & {
  pageSize: number;
  inputType: FloatDtype;
  cacheType: FloatDtype;
  dtype: FloatDtype;
  /** Keys are shared out among workgroups; what each finds is in `parts`. */
  isSplit: boolean;
  workgroupSize: number;
};

/**
 * Attention of one query a row over the keys of its row in a cache of pages: with score[j] = q[row] · k[j] / sqrt(headDim) over the `lengths[row]` keys,
 *
 *   out[row] = sum over j of softmax over j (score[j]) · v[j]
 *
 * Key j of a row lies at pages[row, floor(j / pageSize)] · pageSize + j mod pageSize. A workgroup has the query heads of one key head, tiles of keys in turn;
 * with `isSplit` only `keysPerSplit` keys of the row, and leaves sum of weights · v, largest score and sum of weights. f32, rounded once.
 */
export const decodeAttentionKernel: Kernel<
  DecodeAttentionSpec,
  "q" | "keys" | "values" | "pages" | "lengths" | "out" | "parts",
  "numRows" | "pagesPerRow" | "keysPerSplit" | "numSplits"
> = defineKernel<DecodeAttentionSpec>()({
  name: "decodeAttention",
  bindings: {
    q: read("vector<inputType>"),
    keys: read("vector<cacheType>"),
    values: read("vector<cacheType>"),
    pages: read("u32"),
    lengths: read("u32"),
    out: write("vector<dtype>"),
    parts: write("f32"),
  },
  params: { numRows: "u32", pagesPerRow: "u32", keysPerSplit: "u32", numSplits: "u32" },
  variants: [
    { name: "small", when: ({ software }) => software, spec: { workgroupSize: 16 } },
    { name: "plain", when: always, spec: { workgroupSize: 128 } },
  ],
  grid: ({ numRows, numSplits }, { numKeyValueHeads }) => oneGroupPer(numRows * numKeyValueHeads * numSplits),
  examples: [false, true].flatMap((isSplit) => [
    {
      inputType: "f32",
      cacheType: "f32",
      dtype: "f32",
      numHeads: 4,
      numKeyValueHeads: 2,
      headDim: 16,
      vector: "vec4",
      pageSize: 16,
      isSplit,
    },
    {
      inputType: "f16",
      cacheType: "f16",
      dtype: "f16",
      numHeads: 12,
      numKeyValueHeads: 2,
      headDim: 128,
      vector: "vec4",
      pageSize: 64,
      isSplit,
    },
  ]),
  wgsl: (spec) => {
    const lanes = spec.vector === "vec4" ? 4 : 2;
    const vectors = spec.headDim / lanes;
    const group = spec.numHeads / spec.numKeyValueHeads;
    const lanesPerKey = Math.min(vectors, spec.workgroupSize);
    const places = Math.ceil(vectors / lanesPerKey); // vectors of a head that a lane has
    // Text for each sum of a lane: `@i` is its number, `@h` the head, `@place` where in the head.
    const perSum = (text: string): string =>
      unroll(group * places, text, "@i", {
        "@h": (i) => `${Math.floor(i / places)}u`,
        "@place": (i) => `(place + ${(i % places) * lanesPerKey}u)`,
      });
    return wgsl`
    alias Vector = ${spec.vector}<f32>;
    const VECTORS = ${vectors}u; // in a head
    const GROUP = ${group}u; // query heads of a key head
    const TILE = ${decodeTile}u;
    const LANES_PER_KEY = ${lanesPerKey}u;
    const SUBSETS = ${Math.floor(spec.workgroupSize / lanesPerKey)}u; // of the keys of a tile
    const SCALE = ${1 / Math.sqrt(spec.headDim)};
    const MASKED = -3.4e38;
    var<workgroup> end: u32;
    var<workgroup> slots: array<u32, ${decodeTile}>;
    var<workgroup> scores: array<f32, ${group * decodeTile}>;
    var<workgroup> largest: array<f32, ${group}>;
    var<workgroup> decay: array<f32, ${group}>;
    var<workgroup> total: array<f32, ${group}>;
    var<workgroup> sums: array<Vector, ${spec.workgroupSize}>;

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups);
      let split = index % params.numSplits;
      let keyHead = index / params.numSplits % NUM_KEY_VALUE_HEADS;
      let row = index / params.numSplits / NUM_KEY_VALUE_HEADS;
      if (row >= params.numRows) { return; }
      let firstKey = split * params.keysPerSplit;
      if (lane == 0u) { end = min(lengths[row], firstKey + params.keysPerSplit); }
      let lastKey = workgroupUniformLoad(&end);
      for (var head = lane; head < GROUP; head += WORKGROUP_SIZE) { largest[head] = MASKED; total[head] = 0.0; }
      let subset = lane / LANES_PER_KEY;
      let place = lane % LANES_PER_KEY;
      ${perSum("var acc@i: Vector;")}
      for (var tile = firstKey; tile < lastKey; tile += TILE) {
        for (var i = lane; i < TILE; i += WORKGROUP_SIZE) {
          let key = min(tile + i, lastKey - 1u);
          slots[i] = (pages[row * params.pagesPerRow + key / PAGE_SIZE] * PAGE_SIZE + key % PAGE_SIZE) * NUM_KEY_VALUE_HEADS + keyHead;
        }
        workgroupBarrier();
        for (var i = lane; i < GROUP * TILE; i += WORKGROUP_SIZE) {
          let query = ((row * NUM_KEY_VALUE_HEADS + keyHead) * GROUP + i / TILE) * VECTORS;
          let key = slots[i % TILE] * VECTORS;
          var score = 0.0;
          for (var at = 0u; at < VECTORS; at++) { score += dot(Vector(q[query + at]), Vector(keys[key + at])); }
          scores[i] = select(MASKED, SCALE * score, tile + i % TILE < lastKey);
        }
        workgroupBarrier();
        for (var head = lane; head < GROUP; head += WORKGROUP_SIZE) {
          var next = largest[head];
          for (var i = 0u; i < TILE; i++) { next = max(next, scores[head * TILE + i]); }
          decay[head] = exp(largest[head] - next);
          largest[head] = next;
        }
        workgroupBarrier();
        for (var i = lane; i < GROUP * TILE; i += WORKGROUP_SIZE) {
          scores[i] = select(0.0, exp(scores[i] - largest[i / TILE]), tile + i % TILE < lastKey);
        }
        workgroupBarrier();
        for (var head = lane; head < GROUP; head += WORKGROUP_SIZE) {
          var sum = 0.0;
          for (var i = 0u; i < TILE; i++) { sum += scores[head * TILE + i]; }
          total[head] = total[head] * decay[head] + sum;
        }
        ${perSum("acc@i *= decay[@h];")}
        if (subset < SUBSETS) {
          for (var i = subset; i < TILE; i += SUBSETS) {
            ${unroll(places, wgsl`let value@p = Vector(values[slots[i] * VECTORS + min(place + @pu * LANES_PER_KEY, VECTORS - 1u)]);`, "@p")}
            ${unroll(group * places, "acc@i += scores[@h * TILE + i] * value@p;", "@i", {
              "@h": (i) => `${Math.floor(i / places)}u`,
              "@p": (i) => String(i % places),
            })}
          }
        }
        workgroupBarrier();
      }
      ${perSum(wgsl`
        sums[lane] = acc@i;
        workgroupBarrier();
        if (subset == 0u && @place < VECTORS) {
          var sum = acc@i;
          for (var other = 1u; other < SUBSETS; other++) { sum += sums[other * LANES_PER_KEY + place]; }
          let head = (row * NUM_KEY_VALUE_HEADS + keyHead) * GROUP + @h;
          ${spec.isSplit ? leavePart(lanes) : `out[head * VECTORS + @place] = ${spec.vector}<Dtype>(sum / total[@h]);`}
        }
        workgroupBarrier();`)}
    }`;
  },
});

/** What a split leaves of a head: its sums, its largest score, its weight. */
function leavePart(lanes: number): string {
  return wgsl`
    let part = (head * params.numSplits + split) * (HEAD_DIM + 2u);
    ${unroll(lanes, `parts[part + @place * ${lanes}u + @nu] = sum[@n];`, "@n")}
    if (@place == 0u) { parts[part + HEAD_DIM] = largest[@h]; parts[part + HEAD_DIM + 1u] = total[@h]; }`;
}

/** out[row, head] = sum over splits of e^(largest − most) · sum ÷ that of the weights, of what `decodeAttention` left in `parts`.  One thread per element. */
export type DecodeAttentionSumSpec = { headDim: number; dtype: FloatDtype; workgroupSize: number };

export const decodeAttentionSumKernel: Kernel<DecodeAttentionSumSpec, "parts" | "out", "size" | "numSplits"> =
  defineKernel<DecodeAttentionSumSpec>()({
    name: "decodeAttentionSum",
    bindings: { parts: read("f32"), out: write("dtype") },
    params: { size: "u32", numSplits: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [
      { headDim: 16, dtype: "f32" },
      { headDim: 128, dtype: "f16" },
    ],
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let stride = HEAD_DIM + 2u;
      let first = i / HEAD_DIM * params.numSplits * stride;
      var most = -3.4e38;
      for (var split = 0u; split < params.numSplits; split++) { most = max(most, parts[first + split * stride + HEAD_DIM]); }
      var sum = 0.0;
      var total = 0.0;
      for (var split = 0u; split < params.numSplits; split++) {
        let part = first + split * stride;
        let weight = exp(parts[part + HEAD_DIM] - most);
        sum += weight * parts[part + i % HEAD_DIM];
        total += weight * parts[part + HEAD_DIM + 1u];
      }
      out[i] = Dtype(sum / total);
    }`,
  });
