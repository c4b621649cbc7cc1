import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { adamwBlocks, stateBlockSize } from "./lib/adamw-blocks.js";
import { computeMain, oneGroupPer, oneThreadPer } from "./lib/grid.js";
import { reduceEnables, reduceMax, type Reduce } from "./lib/reduce.js";
import { wgsl } from "./wgsl.js";

/** Words of four codes in a block. */
const wordsPerBlock = stateBlockSize / 4;

/** Workgroups that share the blocks of a large bucket, so that each fetches the maps once for many of them. */
const mostGroups = 4096;

/**
 * One AdamW step on moments kept as 8-bit codes, in place, by blocks of 256:  g = clip · grads;  m ← beta1 · S[codes] · absmax + (1 − beta1) · g;
 * v ← beta2 · U[codes] · absmax + (1 − beta2) · g²;  p ← (p + stepSize · m / (√v + eps)) · oneMinusDecay;  absmax ← max |m|, max v;
 * codes ← nearest(m / absmax), nearest(v / absmax).  A code whose entry has another sign than m moves by one towards m's.  An element whose gradient
 * is not finite stays, with m = v = 0; a negative clip factor leaves everything as it is.  `codes` and `absmax` hold the first moments, then the second.
 * A workgroup goes along blocks, four elements a lane; or a lane has a block.  `exact` rounds every operation as IEEE 754 does.
 */
export type Adamw8bitSpec = { hasClip: boolean; workgroupSize: number; blockPerLane: boolean; reduce: Reduce; exact: boolean };

export const adamw8bitKernel: Kernel<
  Adamw8bitSpec,
  "weights" | "grads" | "blocks" | "maps" | "codes" | "absmax" | "hyper" | "clip",
  "numBlocks" | "zero"
> = defineKernel<Adamw8bitSpec>()({
  name: "adamw8bit",
  bindings: {
    weights: write("vec4<f32>"),
    grads: read("vec4<f32>"),
    blocks: read("u32"),
    maps: read("f32"),
    codes: write("u32"),
    absmax: write("f32"),
    hyper: read("f32"),
    clip: read("f32"),
  },
  params: { numBlocks: "u32", zero: "u32" },
  variants: [
    {
      name: "blockPerLane",
      when: (capabilities) => capabilities.software,
      spec: { workgroupSize: 16, blockPerLane: true, reduce: "serial", exact: true },
    },
    {
      name: "subgroup",
      when: (capabilities) => capabilities.subgroups,
      spec: { workgroupSize: wordsPerBlock, blockPerLane: false, reduce: "subgroup", exact: false },
    },
    { name: "plain", when: always, spec: { workgroupSize: wordsPerBlock, blockPerLane: false, reduce: "plain", exact: true } },
  ],
  cost: ({ numBlocks }) => ({ bytes: numBlocks * (stateBlockSize * 16 + 24), flops: numBlocks * stateBlockSize * 20 }),
  grid: ({ numBlocks }, { blockPerLane, workgroupSize }) =>
    blockPerLane ? oneThreadPer(numBlocks, workgroupSize) : oneGroupPer(Math.min(numBlocks, mostGroups)),
  enables: reduceEnables,
  examples: [{ hasClip: true }, { hasClip: false }],
  wgsl: (spec) => wgsl`
    const WORDS = ${wordsPerBlock}u; // of four codes, in a block
    // Where in maps: the entries, then the midpoints between them, of the signed and of the unsigned map.
    const SIGNED = 0u;
    const UNSIGNED = 256u;
    const MIDPOINTS = 512u;
    const CODE_OF_ZERO = 127u; // in the signed map; smaller codes are negative

    fn clipFactor() -> f32 { return ${spec.hasClip ? "clip[0]" : "1.0"}; }

    ${adamwBlocks(spec)}

    ${tables(spec)} // fn table(i: u32) -> f32

    ${reduceMax(spec)} // fn reduceMax(value: f32, lane: u32) -> f32

    fn decode(word: u32, map: u32) -> vec4<f32> {
      return vec4<f32>(table(map + (word & 255u)), table(map + ((word >> 8u) & 255u)), table(map + ((word >> 16u) & 255u)), table(map + (word >> 24u)));
    }
    // The nearest entry; a midpoint itself goes to the even code.
    fn nearestCode(value: f32, map: u32) -> u32 {
      var code = 0u;
      for (var step = 128u; step > 0u; step >>= 1u) {
        let below = code + step - 1u;
        let midpoint = table(MIDPOINTS + map + below);
        if (value > midpoint || (value == midpoint && below % 2u == 1u)) { code += step; }
      }
      return code;
    }
    fn codeOfM(ratio: f32, m: f32, scale: f32) -> u32 {
      var code = 0u;
      if (scale > 0.0) { code = nearestCode(ratio, SIGNED); }
      let isNegative = (bitcast<u32>(m) >> 31u) == 1u;
      if (isNegative == (code < CODE_OF_ZERO)) { return code; }
      return (code + select(255u, 1u, m > 0.0)) & 255u;
    }
    fn codeOfV(ratio: f32, scale: f32) -> u32 {
      if (scale > 0.0) { return nearestCode(ratio, UNSIGNED); }
      return 0u;
    }

    fn oldMoments(block: u32, word: u32) -> Moments {
      let second = params.numBlocks + block;
      let m = decode(codes[block * WORDS + word], SIGNED) * absmax[block];
      let v = decode(codes[second * WORDS + word], UNSIGNED) * absmax[second];
      return Moments(rounded(m), rounded(v));
    }
    fn largest(values: vec4<f32>) -> f32 {
      return max(max(abs(values.x), abs(values.y)), max(abs(values.z), abs(values.w)));
    }
    fn encode(block: u32, word: u32, after: Moments, scaleM: f32, scaleV: f32, at: Elements) {
      let m = divide(after.m, vec4<f32>(scaleM));
      let v = divide(after.v, vec4<f32>(scaleV));
      var wordM = 0u;
      var wordV = 0u;
      for (var i = 0u; i < 4u; i++) {
        if (at.exists[i]) {
          wordM |= codeOfM(m[i], after.m[i], scaleM) << (8u * i);
          wordV |= codeOfV(v[i], scaleV) << (8u * i);
        }
      }
      codes[block * WORDS + word] = wordM;
      codes[(params.numBlocks + block) * WORDS + word] = wordV;
    }

    ${computeMain(spec)} {
      if (clipFactor() < 0.0) { return; }
      ${spec.blockPerLane ? blockPerLane : blockPerGroup}
    }`,
});

/** All words of a block one after the other, twice: for the scales, then for the rest. */
const blockPerLane = wgsl`
  let block = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
  if (block >= params.numBlocks) { return; }
  var scaleM = 0.0;
  var scaleV = 0.0;
  for (var word = 0u; word < WORDS; word++) {
    let after = momentsAfter(oldMoments(block, word), elementsOf(block, word));
    scaleM = max(scaleM, largest(after.m));
    scaleV = max(scaleV, largest(after.v));
  }
  for (var word = 0u; word < WORDS; word++) {
    let at = elementsOf(block, word);
    let after = momentsAfter(oldMoments(block, word), at);
    updateWeights(after, at);
    encode(block, word, after, scaleM, scaleV, at);
  }
  absmax[block] = scaleM;
  absmax[params.numBlocks + block] = scaleV;`;

/** A word a lane; no lane reads a scale after another has written it, as reduceMax ends with a barrier. */
const blockPerGroup = wgsl`
  fetchTables(lane);
  let numGroups = groups.x * groups.y;
  for (var block = foldedIndex(group, groups); block < params.numBlocks; block += numGroups) {
    let at = elementsOf(block, lane);
    let after = momentsAfter(oldMoments(block, lane), at);
    let scaleM = reduceMax(largest(after.m), lane);
    let scaleV = reduceMax(largest(after.v), lane);
    updateWeights(after, at);
    encode(block, lane, after, scaleM, scaleV, at);
    if (lane == 0u) {
      absmax[block] = scaleM;
      absmax[params.numBlocks + block] = scaleV;
    }
  }`;

/** Maps and midpoints in workgroup memory, or where a lane works alone in the buffer itself. */
function tables({ blockPerLane }: Adamw8bitSpec): string {
  if (blockPerLane) return wgsl`fn table(i: u32) -> f32 { return maps[i]; }`;
  return wgsl`
    var<workgroup> tableCopy: array<f32, 1024>;
    fn fetchTables(lane: u32) {
      for (var i = lane; i < 1024u; i += WORKGROUP_SIZE) { tableCopy[i] = maps[i]; }
      workgroupBarrier();
    }
    fn table(i: u32) -> f32 { return tableCopy[i]; }`;
}

/**
 * The step of adamw8bit on f32 moments, for parameters too small for codes; `moments` holds the first, then the second, by blocks of 256.  Every
 * operation is rounded as IEEE 754 does.  Four elements a lane.
 */
export type AdamwBlocksSpec = { hasClip: boolean; workgroupSize: number; exact: boolean };

export const adamwBlocksKernel: Kernel<
  AdamwBlocksSpec,
  "weights" | "grads" | "blocks" | "moments" | "hyper" | "clip",
  "numBlocks" | "zero"
> = defineKernel<AdamwBlocksSpec>()({
  name: "adamwBlocks",
  bindings: {
    weights: write("vec4<f32>"),
    grads: read("vec4<f32>"),
    blocks: read("u32"),
    moments: write("vec4<f32>"),
    hyper: read("f32"),
    clip: read("f32"),
  },
  params: { numBlocks: "u32", zero: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64, exact: true } }],
  cost: ({ numBlocks }) => ({ bytes: numBlocks * (stateBlockSize * 28 + 8), flops: numBlocks * stateBlockSize * 16 }),
  grid: ({ numBlocks }, { workgroupSize }) => oneThreadPer(numBlocks * wordsPerBlock, workgroupSize),
  examples: [{ hasClip: true }, { hasClip: false }],
  wgsl: (spec) => wgsl`
    const WORDS = ${wordsPerBlock}u; // of four elements, in a block

    fn clipFactor() -> f32 { return ${spec.hasClip ? "clip[0]" : "1.0"}; }

    ${adamwBlocks(spec)}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let block = i / WORDS;
      if (block >= params.numBlocks || clipFactor() < 0.0) { return; }
      let second = params.numBlocks * WORDS + i;
      let at = elementsOf(block, i % WORDS);
      let after = momentsAfter(Moments(moments[i], moments[second]), at);
      updateWeights(after, at);
      moments[i] = after.m;
      moments[second] = after.v;
    }`,
});
