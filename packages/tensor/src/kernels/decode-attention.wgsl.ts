import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { decodeAttentionBody, type DecodeAttentionSpec } from "./lib/decode-attention.js";
import { serialDecodeAttentionBody } from "./lib/decode-attention-serial.js";
import { computeMain, oneGroupPer, oneThreadPer } from "./lib/grid.js";
import { hasSubgroupsOf32 } from "./lib/subgroups.js";
import { unroll } from "./lib/unroll.js";
import { wgsl } from "./wgsl.js";

/**
 * Attention of one query a row over the keys of its row in a cache of pages, which gets the row's newest key and value on the way: with
 * score[j] = q[row] · key[j] / sqrt(headDim) over the `lengths[row]` keys,
 *
 *   out[row] = sum over j of softmax over j (score[j]) · value[j]
 *
 * Key j of a row lies at pages[row, floor(j / pageSize)] · pageSize + j mod pageSize; the newest is the last. With `rotates` q and k come before their rotation
 * to position lengths[row] − 1. A workgroup has the query heads of one key head and `keysPerSplit` keys of the row, tiles of them in turn; on software
 * adapters a lane has one query head. With `isSplit` it leaves sum of weights · value, largest score and sum of weights of each head, for `decodeAttentionSum`.
 * f32, rounded once.
 */
export const decodeAttentionKernel: Kernel<
  DecodeAttentionSpec,
  "q" | "k" | "v" | "cos" | "sin" | "keys" | "values" | "pages" | "lengths" | "out",
  "numRows" | "pagesPerRow" | "keysPerSplit" | "numSplits" | "qStride" | "qFirst" | "kStride" | "kFirst" | "vStride" | "vFirst"
> = defineKernel<DecodeAttentionSpec>()({
  name: "decodeAttention",
  bindings: {
    q: read("inputType"),
    k: read("inputType"),
    v: read("inputType"),
    cos: read("f32"),
    sin: read("f32"),
    keys: write("cacheElement"),
    values: write("cacheElement"),
    pages: read("u32"),
    lengths: read("u32"),
    out: write("dtype"),
  },
  unused: ({ rotates, joined }) => [...(rotates ? [] : (["cos", "sin"] as const)), ...(joined ? (["k", "v"] as const) : [])],
  params: {
    numRows: "u32",
    pagesPerRow: "u32",
    keysPerSplit: "u32",
    numSplits: "u32",
    qStride: "u32",
    qFirst: "u32",
    kStride: "u32",
    kFirst: "u32",
    vStride: "u32",
    vFirst: "u32",
  },
  variants: [
    {
      name: "subgroup",
      when: hasSubgroupsOf32,
      spec: { workgroupSize: 256, reduce: "subgroup" },
    },
    { name: "plain", when: ({ software }) => !software, spec: { workgroupSize: 128, reduce: "plain" } },
    { name: "serial", when: always, spec: { workgroupSize: 16, reduce: "serial" } },
  ],
  grid: ({ numRows, numSplits }, { numHeads, numKeyValueHeads, reduce, workgroupSize }) =>
    reduce === "serial" ? oneThreadPer(numRows * numHeads * numSplits, workgroupSize) : oneGroupPer(numRows * numKeyValueHeads * numSplits),
  enables: ({ reduce }) => (reduce === "subgroup" ? ["enable subgroups;"] : []),
  examples: [false, true].flatMap((isSplit) => [
    example({ inputType: "f32", cacheType: "f32", dtype: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, pageSize: 16, isSplit }),
    example({
      inputType: "f32",
      cacheType: "f16",
      dtype: isSplit ? "f32" : "f16",
      numHeads: 12,
      numKeyValueHeads: 2,
      headDim: 128,
      pageSize: 64,
      isSplit,
    }),
  ]),
  wgsl: (spec) => (spec.reduce === "serial" ? serialDecodeAttentionBody(spec) : decodeAttentionBody(spec)),
});

function example(given: Partial<DecodeAttentionSpec> & { cacheType: FloatDtype }): Partial<DecodeAttentionSpec> {
  return { rotates: true, joined: true, lanes: 4, cacheElement: `vec4<${given.cacheType}>`, ...given };
}

/**
 * out[row, head] = sum over splits of e^(largest − most) · sum ÷ that of the weights, of what `decodeAttention` left.  A thread an element.
 *
 * With `aheadRanks` also aheadParts[part, row, j] = sum of out[row, col] · ahead[j, col] over the 16 columns of a part: what a low-rank update of the layer that takes
 * the result begins with.
 */
export type DecodeAttentionSumSpec = { numHeads: number; headDim: number; dtype: FloatDtype; aheadRanks: number; workgroupSize: number };

/** Columns of a part of what is made ahead. */
export const aheadColumns = 16;

/** Elements of a workgroup; a row has a multiple of it where something is made ahead. */
export const attentionSumGroup = 64;

/** Ranks up to which a workgroup has all of what it multiplies with under way before its sums. */
export const mostAheadRanks = 64;

export const decodeAttentionSumKernel: Kernel<
  DecodeAttentionSumSpec,
  "parts" | "lengths" | "out" | "ahead" | "aheadParts",
  "size" | "numSplits" | "keysPerSplit"
> = defineKernel<DecodeAttentionSumSpec>()({
  name: "decodeAttentionSum",
  bindings: {
    parts: read("f32"),
    lengths: read("u32"),
    out: write("dtype"),
    ahead: read("vec4<f32>"),
    aheadParts: write("f32"),
  },
  unused: ({ aheadRanks }) => (aheadRanks > 0 ? [] : ["ahead", "aheadParts"]),
  params: { size: "u32", numSplits: "u32", keysPerSplit: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: attentionSumGroup } }],
  grid: ({ size }, { workgroupSize }) => oneGroupPer(Math.ceil(size / workgroupSize)),
  examples: [
    { numHeads: 4, headDim: 16, dtype: "f32", aheadRanks: 0 },
    { numHeads: 12, headDim: 128, dtype: "f16", aheadRanks: 16 },
    { numHeads: 8, headDim: 16, dtype: "f32", aheadRanks: 20 },
  ],
  wgsl: (spec) => wgsl`
    fn attended(i: u32) -> f32 {
      let head = i / HEAD_DIM;
      let keys = lengths[head / NUM_HEADS];
      let splits = (keys + params.keysPerSplit - 1u) / params.keysPerSplit; // those past the end of the row left nothing
      let stride = HEAD_DIM + 2u;
      let first = head * params.numSplits * stride;
      var most = -3.4e38;
      for (var split = 0u; split < splits; split++) { most = max(most, parts[first + split * stride + HEAD_DIM]); }
      var sum = 0.0;
      var total = 0.0;
      for (var split = 0u; split < splits; split++) {
        let part = first + split * stride;
        let weight = exp(parts[part + HEAD_DIM] - most);
        sum += weight * parts[part + i % HEAD_DIM];
        total += weight * parts[part + HEAD_DIM + 1u];
      }
      return sum / total;
    }
    ${spec.aheadRanks > 0 ? "var<workgroup> outcome: array<vec4<f32>, WORKGROUP_SIZE / 4u>;" : ""}

    ${computeMain(spec)} {
      let start = foldedIndex(group, groups) * WORKGROUP_SIZE;
      let i = start + lane;
      ${spec.aheadRanks > 0 ? sumAndAhead(spec) : "if (i < params.size) { out[i] = Dtype(attended(i)); }"}
    }`,
});

/** Elements of a row of their own: each lane has a rank and a part of the columns in turn, whose a is under way before the sums. */
function sumAndAhead({ aheadRanks, workgroupSize }: DecodeAttentionSumSpec): string {
  const parts = workgroupSize / aheadColumns;
  const vectors = aheadColumns / 4;
  const turns = Math.ceil((aheadRanks * parts) / workgroupSize);
  return wgsl`
    if (start >= params.size) { return; }
    let rowSize = NUM_HEADS * HEAD_DIM;
    let row = start / rowSize;
    ${unroll(
      turns,
      wgsl`
        let place@t = lane + @tu * WORKGROUP_SIZE;
        let a@t = (min(place@t / ${parts}u, AHEAD_RANKS - 1u) * rowSize + start % rowSize) / 4u + place@t % ${parts}u * ${vectors}u;
        ${unroll(vectors, "let a@t_@v = ahead[a@t + @vu];", "@v")}`,
      "@t",
    )}
    let value = attended(i);
    out[i] = Dtype(value);
    outcome[lane / 4u][lane % 4u] = value;
    workgroupBarrier();
    ${unroll(
      turns,
      wgsl`
        if (place@t < AHEAD_RANKS * ${parts}u) {
          let first = place@t % ${parts}u * ${vectors}u;
          let part = start % rowSize / ${aheadColumns}u + place@t % ${parts}u;
          let sum = ${Array.from({ length: vectors }, (_, v) => `dot(a@t_${v}, outcome[first + ${v}u])`).join(" + ")};
          aheadParts[(part * (params.size / rowSize) + row) * AHEAD_RANKS + place@t / ${parts}u] = sum;
        }`,
      "@t",
    )}`;
}
