import type { FloatDtype } from "../../dtype.js";
import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import type { Reduce } from "./reduce.js";
import { unroll } from "./unroll.js";

/** Keys that are looked at together; splits are multiples of it. */
export const decodeTile = 64;

/** What the attention of single queries over a cache is specialised on. */
export type DecodeAttentionSpec = {
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  /** Tokens that lie together in the cache. */
  pageSize: number;
  inputType: FloatDtype;
  cacheType: FloatDtype;
  /** As the cache is bound: `lanes` numbers. */
  cacheElement: string;
  /** Numbers of an element of the cache; twice as many divide headDim where queries are rotated. */
  lanes: 1 | 2 | 4;
  /** Of the result, or f32 where parts are left. */
  dtype: FloatDtype;
  /** q and k come before their rotation. */
  rotates: boolean;
  /** q, k and v are columns of one tensor. */
  joined: boolean;
  /** Keys are shared out among workgroups, which leave parts. */
  isSplit: boolean;
  workgroupSize: number;
  /** How the scores of a tile are reduced: a subgroup of 32 or a lane a head; `serial` means that one lane has the whole of a query head. */
  reduce: Reduce;
};

/** The whole kernel: queries into workgroup memory, the newest key into the cache, then tiles of keys, scores, weights and values. */
export function decodeAttentionBody(spec: DecodeAttentionSpec): string {
  const { numHeads, numKeyValueHeads, headDim, workgroupSize, lanes, isSplit } = spec;
  const group = numHeads / numKeyValueHeads;
  const vectors = headDim / lanes;
  const lanesPerKey = Math.max(1, workgroupSize / decodeTile);
  const lanesPerValue = Math.min(vectors, workgroupSize);
  const places = Math.ceil(vectors / lanesPerValue); // vectors of a value that a lane has
  const subsets = Math.floor(workgroupSize / lanesPerValue); // of the keys of a tile
  const isEven = places === 1 && vectors % lanesPerKey === 0 && decodeTile % subsets === 0 && workgroupSize === decodeTile * lanesPerKey;
  const sums = (text: string): string =>
    unroll(group * places, text, "@i", {
      "@h": (i) => `${Math.floor(i / places)}u`,
      "@which": (i) => String(i % places),
      "@place": (i) => `(place + ${(i % places) * lanesPerValue}u)`,
    });
  return wgsl`
    ${decodeAttentionHead(spec)}
    const TILE = ${decodeTile}u;
    const LANES_PER_KEY = ${lanesPerKey}u;
    const LANES_PER_VALUE = ${lanesPerValue}u;
    const SUBSETS = ${subsets}u; // of the keys of a tile
    var<workgroup> rowLength: u32;
    var<workgroup> queries: array<Vector, ${group * vectors}>;
    var<workgroup> slots: array<u32, ${decodeTile}>;
    var<workgroup> scores: array<f32, ${group * decodeTile * lanesPerKey}>; // shares of each, then weights
    var<workgroup> largest: array<f32, ${group}>;
    var<workgroup> decay: array<f32, ${group}>;
    var<workgroup> total: array<f32, ${group}>;
    var<workgroup> partial: array<Vector, ${workgroupSize}>;

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups);
      let split = index % params.numSplits;
      let keyHead = index / params.numSplits % NUM_KEY_VALUE_HEADS;
      let row = index / params.numSplits / NUM_KEY_VALUE_HEADS;
      if (row >= params.numRows) { return; }
      if (lane == 0u) { rowLength = lengths[row]; }
      let numKeys = workgroupUniformLoad(&rowLength);
      let firstKey = split * params.keysPerSplit;
      let lastKey = min(numKeys, firstKey + params.keysPerSplit);
      if (firstKey >= numKeys) { return; }
      for (var i = lane; i < GROUP * VECTORS; i += WORKGROUP_SIZE) {
        let head = keyHead * GROUP + i / VECTORS;
        queries[i] = SCALE * queryAt(row, head, i % VECTORS, numKeys - 1u);
      }
      if (lastKey == numKeys) {
        let slot = (slotOf(row, numKeys - 1u) * NUM_KEY_VALUE_HEADS + keyHead) * VECTORS;
        for (var i = lane; i < VECTORS; i += WORKGROUP_SIZE) {
          keys[slot + i] = CacheVector(keyAt(row, keyHead, i, numKeys - 1u));
          values[slot + i] = CacheVector(valueAt(row, keyHead, i));
        }
      }
      for (var head = lane; head < GROUP; head += WORKGROUP_SIZE) { largest[head] = MASKED; total[head] = 0.0; }
      storageBarrier();
      let subset = lane / LANES_PER_VALUE;
      let place = lane % LANES_PER_VALUE;
      ${sums("var acc@i: Vector;")}
      for (var tile = firstKey; tile < lastKey; tile += TILE) {
        for (var i = lane; i < TILE; i += WORKGROUP_SIZE) {
          slots[i] = (slotOf(row, min(tile + i, lastKey - 1u)) * NUM_KEY_VALUE_HEADS + keyHead) * VECTORS;
        }
        workgroupBarrier();
        ${isEven ? evenTile(spec, sums) : anyTile(spec, places, sums)}
        workgroupBarrier();
      }
      ${sums(wgsl`
        partial[lane] = acc@i;
        workgroupBarrier();
        if (subset == 0u && @place < VECTORS) {
          var sum = acc@i;
          for (var other = 1u; other < SUBSETS; other++) { sum += partial[other * LANES_PER_VALUE + place]; }
          let head = (row * NUM_KEY_VALUE_HEADS + keyHead) * GROUP + @h;
          ${isSplit ? "let start = (head * params.numSplits + split) * (HEAD_DIM + 2u);" : "let start = head * HEAD_DIM;"}
          let result = ${isSplit ? "sum" : "sum / total[@h]"};
          ${unroll(lanes, `out[start + @place * ${lanes}u + @nu] = Dtype(result${lanes === 1 ? "" : "[@n]"});`, "@n")}
          ${isSplit ? "if (@place == 0u) { out[start + HEAD_DIM] = largest[@h]; out[start + HEAD_DIM + 1u] = total[@h]; }" : ""}
        }
        workgroupBarrier();`)}
    }`;
}

/** A tile where each lane has a share of one key and as many values as every other: all of them are on their way before the first is looked at. */
function evenTile(spec: DecodeAttentionSpec, sums: (text: string) => string): string {
  const { numHeads, numKeyValueHeads, headDim, workgroupSize, lanes } = spec;
  const group = numHeads / numKeyValueHeads;
  const vectors = headDim / lanes;
  const ofKey = vectors / (workgroupSize / decodeTile);
  const ofValues = decodeTile / Math.floor(workgroupSize / vectors);
  const product = lanes === 1 ? "queries[@iu * VECTORS + at@k] * key@k" : "dot(queries[@iu * VECTORS + at@k], key@k)";
  return wgsl`
    let ownKey = slots[lane / LANES_PER_KEY];
    ${unroll(
      ofKey,
      wgsl`
        let at@k = lane % LANES_PER_KEY + @ku * LANES_PER_KEY;
        let key@k = Vector(keys[ownKey + at@k]);`,
      "@k",
    )}
    ${unroll(ofValues, "let value@k = Vector(values[slots[subset + @ku * SUBSETS] + place]);", "@k")}
    ${unroll(group, `var score@i = 0.0;\n${unroll(ofKey, `score@i += ${product};`, "@k")}`)}
    ${unroll(group, "scores[@iu * TILE * LANES_PER_KEY + lane] = score@i;")}
    workgroupBarrier();
    ${weighTile(spec)}
    workgroupBarrier();
    ${sums("acc@i *= decay[@h];")}
    ${unroll(ofValues, sums("acc@i += scores[@h * TILE * LANES_PER_KEY + subset + @ku * SUBSETS] * value@k;"), "@k")}`;
}

/** A tile of any shape. */
function anyTile(spec: DecodeAttentionSpec, places: number, sums: (text: string) => string): string {
  const group = spec.numHeads / spec.numKeyValueHeads;
  return wgsl`
    for (var i = lane; i < TILE * LANES_PER_KEY; i += WORKGROUP_SIZE) {
      let key = slots[i / LANES_PER_KEY];
      ${unroll(group, "var score@i = 0.0;")}
      for (var at = i % LANES_PER_KEY; at < VECTORS; at += LANES_PER_KEY) {
        let vector = Vector(keys[key + at]);
        ${unroll(group, `score@i += ${spec.lanes === 1 ? "queries[@iu * VECTORS + at] * vector" : "dot(queries[@iu * VECTORS + at], vector)"};`)}
      }
      ${unroll(group, "scores[@iu * TILE * LANES_PER_KEY + i] = score@i;")}
    }
    workgroupBarrier();
    ${weighTile(spec)}
    workgroupBarrier();
    ${sums("acc@i *= decay[@h];")}
    if (subset < SUBSETS) {
      for (var i = subset; i < min(TILE, lastKey - tile); i += SUBSETS) {
        ${unroll(places, "let value@i = Vector(values[slots[i] + min(place + @iu * LANES_PER_VALUE, VECTORS - 1u)]);")}
        ${sums("acc@i += scores[@h * TILE * LANES_PER_KEY + i] * value@which;")}
      }
    }`;
}

/** What every way of it begins with. */
export function decodeAttentionHead(spec: DecodeAttentionSpec): string {
  const { numHeads, numKeyValueHeads, headDim, lanes } = spec;
  return wgsl`
    alias Vector = ${lanes === 1 ? "f32" : `vec${lanes}<f32>`};
    const VECTORS = ${headDim / lanes}u; // in a head
    const HALF = ${headDim / 2}u;
    const GROUP = ${numHeads / numKeyValueHeads}u; // query heads of a key head
    const SCALE = ${1 / Math.sqrt(headDim)};
    const MASKED = -3.4e38;

    fn slotOf(row: u32, key: u32) -> u32 { return pages[row * params.pagesPerRow + key / PAGE_SIZE] * PAGE_SIZE + key % PAGE_SIZE; }
    ${inputFunctions(spec)}`;
}

/** `queryAt`, `keyAt` and `valueAt`: vector \`at\` of a head of a row, at a position where it is rotated. */
function inputFunctions({ lanes, rotates, joined, cacheElement }: DecodeAttentionSpec): string {
  const from = (source: string, place: string): string =>
    lanes === 1
      ? `f32(${source}[${place}])`
      : `Vector(${Array.from({ length: lanes }, (_, i) => `f32(${source}[${place} + ${i}u])`).join(", ")})`;
  const table = (name: string): string =>
    lanes === 1 ? `${name}[angle]` : `Vector(${Array.from({ length: lanes }, (_, i) => `${name}[angle + ${i}u]`).join(", ")})`;
  const rotated = (source: string): string => wgsl`
    let isFirst = at < VECTORS / 2u;
    let j = select(at - VECTORS / 2u, at, isFirst) * ${lanes}u;
    let angle = position * HALF + j;
    let a = ${from(source, "start + j")};
    let b = ${from(source, "start + HALF + j")};
    let cosine = ${table("cos")};
    let sine = ${table("sin")};
    return select(b * cosine + a * sine, a * cosine - b * sine, isFirst);`;
  const plain = (source: string): string => `return ${from(source, `start + at * ${lanes}u`)};`;
  const turned = rotates ? rotated : plain;
  return wgsl`
    alias CacheVector = ${cacheElement};
    fn queryAt(row: u32, head: u32, at: u32, position: u32) -> Vector {
      let start = row * params.qStride + params.qFirst + head * HEAD_DIM;
      ${turned("q")}
    }
    fn keyAt(row: u32, head: u32, at: u32, position: u32) -> Vector {
      let start = row * params.kStride + params.kFirst + head * HEAD_DIM;
      ${turned(joined ? "q" : "k")}
    }
    fn valueAt(row: u32, head: u32, at: u32) -> Vector {
      let start = row * params.vStride + params.vFirst + head * HEAD_DIM;
      ${plain(joined ? "q" : "v")}
    }`;
}

/** Scores of a tile to weights, with the largest score so far and the sum of weights of each head. A head's weights lie where its shares began. */
function weighTile({ numHeads, numKeyValueHeads, workgroupSize, reduce }: DecodeAttentionSpec): string {
  const lanesPerKey = Math.max(1, workgroupSize / decodeTile);
  const score = (i: string): string => {
    const shares = Array.from({ length: lanesPerKey }, (_, share) => `scores[(head * TILE + ${i}) * LANES_PER_KEY + ${share}u]`);
    return `select(MASKED, ${shares.join(" + ")}, tile + ${i} < lastKey)`;
  };
  if (reduce === "subgroup") {
    const heads = Math.ceil(numHeads / numKeyValueHeads / (workgroupSize / 32));
    // Every subgroup takes part, also those that have no head: a branch around these sums would not be uniform to the compiler.
    const step = wgsl`
      {
        let place@i = lane / 32u + @iu * ${workgroupSize / 32}u;
        let head = min(place@i, GROUP - 1u);
        let one = lane % 32u;
        let two = one + 32u;
        let first = ${score("one")};
        let second = ${score("two")};
        let before = largest[head];
        let next = max(before, subgroupMax(max(first, second)));
        let firstWeight = select(0.0, exp(first - next), tile + one < lastKey);
        let secondWeight = select(0.0, exp(second - next), tile + two < lastKey);
        let sum = subgroupAdd(firstWeight + secondWeight);
        if (place@i < GROUP) {
          scores[head * TILE * LANES_PER_KEY + one] = firstWeight; // where shares were that every lane has read, or there were no largest
          scores[head * TILE * LANES_PER_KEY + two] = secondWeight;
          if (one == 0u) {
            decay[head] = exp(before - next);
            total[head] = total[head] * decay[head] + sum;
            largest[head] = next;
          }
        }
      }`;
    return unroll(heads, step);
  }
  return wgsl`
    for (var head = lane; head < GROUP; head += WORKGROUP_SIZE) {
      var next = largest[head];
      for (var i = 0u; i < TILE; i++) {
        let score = ${score("i")};
        scores[head * TILE * LANES_PER_KEY + i] = score;
        next = max(next, score);
      }
      var sum = 0.0;
      for (var i = 0u; i < TILE; i++) {
        let at = head * TILE * LANES_PER_KEY + i;
        let weight = select(0.0, exp(scores[at] - next), tile + i < lastKey);
        scores[at] = weight;
        sum += weight;
      }
      decay[head] = exp(largest[head] - next);
      total[head] = total[head] * decay[head] + sum;
      largest[head] = next;
    }`;
}
