import { wgsl } from "../wgsl.js";
import { decodeAttentionHead, type DecodeAttentionSpec } from "./decode-attention.js";
import { computeMain } from "./grid.js";
import { unroll } from "./unroll.js";

/**
 * The whole kernel for software adapters, where barriers cost most: a lane has a query head of a row, and the keys of its split one after another, straight
 * from the cache. The newest key it takes from the input, since another lane may not have written it yet. Loops, not copies of their bodies: these would take
 * seconds to compile there.
 */
export function serialDecodeAttentionBody(spec: DecodeAttentionSpec): string {
  const { lanes, isSplit } = spec;
  const product = (a: string, b: string): string => (lanes === 1 ? `${a} * ${b}` : `dot(${a}, ${b})`);
  return wgsl`
    ${decodeAttentionHead(spec)}

    fn baseOf(row: u32, key: u32, keyHead: u32) -> u32 { return (slotOf(row, key) * NUM_KEY_VALUE_HEADS + keyHead) * VECTORS; }

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let split = index % params.numSplits;
      let head = index / params.numSplits % NUM_HEADS;
      let row = index / params.numSplits / NUM_HEADS;
      if (row >= params.numRows) { return; }
      let numKeys = lengths[row];
      let firstKey = split * params.keysPerSplit;
      if (firstKey >= numKeys) { return; }
      let newest = numKeys - 1u;
      let endKey = min(newest, firstKey + params.keysPerSplit); // of those that are in the cache
      let keyHead = head / GROUP;
      var query: array<Vector, VECTORS>;
      var acc: array<Vector, VECTORS>;
      for (var at = 0u; at < VECTORS; at++) { query[at] = SCALE * queryAt(row, head, at, newest); }
      var largest = MASKED;
      var total = 0.0;
      if (newest < firstKey + params.keysPerSplit) {
        let base = baseOf(row, newest, keyHead);
        largest = 0.0;
        total = 1.0;
        for (var at = 0u; at < VECTORS; at++) {
          let key = CacheVector(keyAt(row, keyHead, at, newest));
          let value = CacheVector(valueAt(row, keyHead, at));
          largest += ${product("query[at]", "Vector(key)")};
          acc[at] = Vector(value);
          if (head % GROUP == 0u) { keys[base + at] = key; values[base + at] = value; }
        }
      }
      for (var key = firstKey; key < endKey; key++) {
        let base = baseOf(row, key, keyHead);
        var score = 0.0;
        for (var at = 0u; at < VECTORS; at++) { score += ${product("query[at]", "Vector(keys[base + at])")}; }
        let next = max(largest, score);
        let decay = exp(largest - next);
        let weight = exp(score - next);
        largest = next;
        total = total * decay + weight;
        for (var at = 0u; at < VECTORS; at++) { acc[at] = acc[at] * decay + weight * Vector(values[base + at]); }
      }
      let result = row * NUM_HEADS + head;
      ${isSplit ? "let start = (result * params.numSplits + split) * (HEAD_DIM + 2u);" : "let start = result * HEAD_DIM;"}
      let norm = ${isSplit ? "1.0" : "1.0 / total"};
      for (var at = 0u; at < VECTORS; at++) {
        let numbers = norm * acc[at];
        ${unroll(lanes, `out[start + at * ${lanes}u + @nu] = Dtype(numbers${lanes === 1 ? "" : "[@n]"});`, "@n")}
      }
      ${isSplit ? "out[start + HEAD_DIM] = largest;\nout[start + HEAD_DIM + 1u] = total;" : ""}
    }`;
}
