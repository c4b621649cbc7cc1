import { wgsl } from "../wgsl.js";
import type { SampleSpec } from "../sample.wgsl.js";

/**
 * `cutInAll(lane)`: `cut`, `lastTie` and `total`, found bit by bit by looking at all scores again and again: for a top-p without top-k, a top-k of many, and
 * scores of which very many are equal. Slow, but exact for any scores.
 */
export function cutInAll({ workgroupSize, rowPerLane }: SampleSpec): string {
  const step = rowPerLane ? 1 : workgroupSize;
  const all = (body: string): string => wgsl`
    for (var id = lane; id < params.vocabSize; id += ${step}u) {
      ${body}
    }`;
  return wgsl`
    fn cutInAll(lane: u32) {
      var least = 0u; // the order of the lowest score that is kept, and the last id that is kept at it
      lastTie = 0xffffffffu;
      if (uniformly(u32(topK > 0u && topK < params.vocabSize), lane) != 0u) {
        for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
          let tried = least | bit;
          var count = 0.0;
          ${all("count += f32(orderOf(scoreOf(id)) >= tried);")}
          if (reduceSum(count, lane) >= f32(topK)) { least = tried; }
        }
      }
      if (uniformly(u32(topP < 1.0), lane) != 0u) {
        let afterTopK = least;
        let wanted = topP * weightFrom(afterTopK, lane);
        var enough = 0u; // the highest order such that what is at it and above has the wanted weight
        for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
          let tried = enough | bit;
          if (weightFrom(max(tried, afterTopK), lane) >= wanted) { enough = tried; }
        }
        least = max(min(enough, orderOf(largest)), afterTopK);
        keepTies(least, wanted - weightFrom(least + 1u, lane), lane);
      }
      if (uniformly(u32(minP > 0.0), lane) != 0u) {
        var lowest = largest;
        ${all(wgsl`
          let score = scoreOf(id);
          if (weightOf(score) >= minP) { lowest = min(lowest, score); }`)}
        let order = orderOf(-reduceMax(-lowest, lane));
        if (order > least) { least = order; lastTie = 0xffffffffu; }
      }
      cut = scoreFrom(least);
      var weight = 0.0;
      ${all(wgsl`
        let order = orderOf(scoreOf(id));
        if (order > least || (order == least && id <= lastTie)) { weight += weightOf(scoreOf(id)); }`)}
      total = reduceSum(weight, lane);
    }

    // The weight of all scores of at least this order.
    fn weightFrom(order: u32, lane: u32) -> f32 {
      var weight = 0.0;
      ${all(wgsl`
        let score = scoreOf(id);
        if (orderOf(score) >= order) { weight += weightOf(score); }`)}
      return reduceSum(weight, lane);
    }

    // Of equal scores as many as it takes, the lowest ids first.
    fn keepTies(order: u32, wanted: f32, lane: u32) {
      var count = 0.0;
      ${all("count += f32(orderOf(scoreOf(id)) == order);")}
      let numTies = reduceSum(count, lane);
      let numKept = clamp(ceil(wanted / weightOf(scoreFrom(order))), 1.0, numTies);
      if (uniformly(u32(numKept >= numTies), lane) != 0u) { return; }
      var end = 0u; // ids below it have fewer ties than are kept
      for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
        let tried = end | bit;
        var below = 0.0;
        ${all("below += f32(id < tried && orderOf(scoreOf(id)) == order);")}
        if (reduceSum(below, lane) < numKept) { end = tried; }
      }
      lastTie = end;
    }`;
}
