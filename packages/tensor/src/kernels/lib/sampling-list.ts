import { wgsl } from "../wgsl.js";
import type { SampleSpec } from "../sample.wgsl.js";
import { unroll } from "./unroll.js";

/** Scores that are sorted in workgroup memory: twice the largest top-k that is common, in 8 KiB. */
export const listSize = 1024;

/** Distances from the largest score that one look at all scores tries. */
const numDistances = 8;

/** Looks at all scores, each of which narrows the distance eightfold; the first distances are a 128th of the range and its doubles. */
const mostLooks = 5;

/**
 * `findList(lane) -> bool`: gathers the largest scores, at least topK of them, and sorts them; false where top-k is off or asks for too many, and where too
 * many scores are equal. `cutInList(lane)`: `cut`, `lastTie` and `total` from the list.
 */
export function cutInList({ workgroupSize }: SampleSpec): string {
  const chunk = listSize / workgroupSize; // of the sorted list, that a lane has
  return wgsl`
    const LIST = ${listSize}u;
    var<workgroup> listed: atomic<u32>;
    var<workgroup> listScores: array<f32, ${listSize}>;
    var<workgroup> listIds: array<u32, ${listSize}>;
    var<workgroup> within: array<atomic<u32>, ${numDistances}>;

    fn findList(lane: u32) -> bool {
      if (uniformly(u32(topK == 0u || topK > LIST), lane) != 0u) { return false; }
      var near = 0.0; // within it there are too few
      var far = largest - smallest; // within it there are enough
      var count = params.vocabSize;
      for (var look = 0u; look < ${mostLooks}u; look++) {
        if (uniformly(u32(count <= LIST), lane) != 0u) { break; }
        for (var i = lane; i < ${numDistances}u; i += ${workgroupSize}u) { atomicStore(&within[i], 0u); }
        workgroupBarrier();
        let step = (far - near) / ${numDistances}.0;
        ${unroll(numDistances, "let distance@i = select(near + step * @j, far * @p, look == 0u);", "@i", {
          "@j": (n) => `${n + 1}.0`,
          "@p": (n) => `${2 ** (n + 1 - numDistances)}`,
        })}
        ${unroll(numDistances, "var count@i = 0u;")}
        for (var id = lane; id < params.vocabSize; id += ${workgroupSize}u) {
          let distance = largest - scoreOf(id);
          ${unroll(numDistances, "count@i += u32(distance <= distance@i);")}
        }
        ${unroll(numDistances, "atomicAdd(&within[@i], count@i);")}
        workgroupBarrier();
        var isFound = false;
        var before = near;
        ${unroll(
          numDistances,
          wgsl`
            let found@i = atomicLoad(&within[@i]);
            if (!isFound && found@i >= topK) { isFound = true; near = before; far = distance@i; count = found@i; }
            before = distance@i;`,
        )}
        workgroupBarrier();
      }
      if (uniformly(u32(count > LIST), lane) != 0u) { return false; }
      if (lane == 0u) { atomicStore(&listed, 0u); }
      for (var i = lane; i < LIST; i += ${workgroupSize}u) { listScores[i] = -3.4e38; listIds[i] = 0xffffffffu; }
      workgroupBarrier();
      for (var id = lane; id < params.vocabSize; id += ${workgroupSize}u) {
        let score = scoreOf(id);
        if (largest - score <= far) {
          let slot = atomicAdd(&listed, 1u);
          if (slot < LIST) { listScores[slot] = score; listIds[slot] = id; }
        }
      }
      workgroupBarrier();
      sortList(lane);
      return true;
    }

    // Bitonic; the largest score first, and the lowest id among equals.
    fn sortList(lane: u32) {
      for (var size = 2u; size <= LIST; size *= 2u) {
        for (var stride = size / 2u; stride > 0u; stride /= 2u) {
          for (var pair = lane; pair < LIST / 2u; pair += ${workgroupSize}u) {
            let low = 2u * pair - pair % stride;
            let high = low + stride;
            let descends = (low & size) == 0u;
            let a = listScores[low];
            let b = listScores[high];
            let isAfter = a < b || (a == b && listIds[low] > listIds[high]);
            if (isAfter == descends) {
              listScores[low] = b;
              listScores[high] = a;
              let id = listIds[low];
              listIds[low] = listIds[high];
              listIds[high] = id;
            }
          }
          workgroupBarrier();
        }
      }
    }

    var<workgroup> sums: array<f32, ${workgroupSize}>;

    fn cutInList(lane: u32) {
      let lowest = listScores[topK - 1u];
      let first = lane * ${chunk}u;
      var numTop = 0.0;
      var sum = 0.0;
      for (var i = first; i < first + ${chunk}u; i++) {
        if (listIds[i] >= params.vocabSize || listScores[i] < lowest) { break; }
        numTop += 1.0;
        sum += weightOf(listScores[i]);
      }
      sums[lane] = sum;
      let last = u32(reduceSum(numTop, lane)); // one past the last that top-k keeps
      var above = 0.0;
      var all = 0.0;
      for (var other = 0u; other < ${workgroupSize}u; other++) {
        if (other == lane) { above = all; }
        all += sums[other];
      }
      var end = first;
      var kept = 0.0;
      for (; end < min(first + ${chunk}u, last); end++) {
        let weight = weightOf(listScores[end]);
        if (end > 0u && ((topP < 1.0 && above >= topP * all) || weight < minP)) { break; }
        above += weight;
        kept += weight;
      }
      let numKept = lowestId(select(LIST, end, end < first + ${chunk}u), lane);
      cut = listScores[numKept - 1u];
      lastTie = listIds[numKept - 1u];
      total = reduceSum(select(0.0, kept, first < numKept), lane);
    }`;
}
