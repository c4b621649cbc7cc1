import { wgsl } from "../wgsl.js";
import {
  aheadFunction,
  bFunction,
  mostHeld,
  nothing,
  placesOf,
  ranksFunctions,
  scaleOfUpdate,
  tileOfB,
  type LowRankText,
} from "./few-rows-low-rank-text.js";
import type { FewRowsSpec } from "./few-rows.js";
import { times, unroll } from "./unroll.js";

/** Vectors of a row of h at most, in whose sums eight subgroups take no more workgroup memory than the loop's shares. */
const mostVectors = 16;

/** Whether lanes of subgroups can add up parts of h, and hold b. Whatever the rows, so that a row's sums are the same whatever rows are beside it. */
export function areLanesEnough(spec: FewRowsSpec, columns: number): boolean {
  const { updateRanks, workgroupSize, width, reduce } = spec;
  return reduce === "subgroup" && updateRanks / 4 <= Math.min(mostVectors, width) && tileOfB(spec, columns) <= mostHeld * workgroupSize;
}

/** The same of the products made ahead: lanes hold a, and those of a subgroup have whole rows of the workgroup's columns. */
export function areLanesEnoughAhead({ aheadRanks, workgroupSize, width, reduce }: FewRowsSpec, columns: number): boolean {
  return reduce === "subgroup" && columns <= width && aheadRanks * columns <= mostHeld * workgroupSize;
}

/** A lane by its place in its subgroup. */
const placeInSubgroup = "subgroupExclusiveAdd(1u)";

/**
 * As `updateText`: every lane has a vector of h and a share of its parts, whose loads are all under way at once, of one row before the kernel waits for anything
 * else. Lanes of a subgroup add up by shuffles. h · b is there before the barrier that the sums of the product itself need.
 */
export function lanesUpdateText(spec: FewRowsSpec, columns: number): LowRankText {
  const { updateRanks, mostRanks, rows, workgroupSize, width, partLoads } = spec;
  const vectors = updateRanks / 4; // of a row of h
  const perColumn = mostRanks / 4;
  const tile = tileOfB(spec, columns);
  const held = Math.ceil(tile / workgroupSize);
  const subgroups = workgroupSize / width;
  const { placeOf, columnOf } = placesOf(spec, columns);
  const hAt = (part: string): string => `h[(${part} * params.m + hRow) * ${vectors}u + hPlace]`;
  const load = unroll(
    partLoads,
    wgsl`
      let hPart@i = hShare + @iu * hShares;
      let hLoad@i = ${hAt("min(hPart@i, params.hParts - 1u)")};`,
  );
  const addShuffled = (distance: number): string =>
    `hSum += select(vec4<f32>(), subgroupShuffleXor(hSum, ${distance}u), hWidth <= ${distance}u);`;
  const add = (row: string): string => wgsl`
    var hSum = vec4<f32>();
    ${unroll(partLoads, "hSum += select(vec4<f32>(), hLoad@i, hPart@i < params.hParts);")}
    for (var part = hShare + ${partLoads}u * hShares; part < params.hParts; part += hShares) { hSum += ${hAt("part")}; }
    ${times(Math.log2(width), (step) => addShuffled(2 ** step))}
    if (hLane < hCount) { hOfSubgroups[(team * ${rows}u + ${row}) * ${vectors}u + hLane] = hSum; }`;
  return {
    functions: wgsl`
      var<workgroup> hOfSubgroups: array<vec4<f32>, ${subgroups * rows * vectors}>;
      var<workgroup> bProducts: array<f32, ${rows * tile}>;
      ${ranksFunctions(spec, columns)}
      ${bFunction(spec, columns)}
      fn hAt(r: u32, j: u32) -> vec4<f32> {
        return ${times(subgroups, (each) => `hOfSubgroups[(${each * rows}u + r) * ${vectors}u + j]${each < subgroups - 1 ? " +" : ";"}`)}
      }
      fn hPlaceOf(i: u32) -> u32 {
        let column = i / ${perColumn}u;
        let j = i % ${perColumn}u;
        ${placeOf}
        return min(ranksBefore(part) + j - hFirst, ${vectors - 1}u);
      }
      fn lowRank(part: u32, row: u32, col: u32) -> f32 {
        let start = (row - groupRow) * ${tile}u + (${columnOf}) * ${perColumn}u;
        var sum = 0.0;
        for (var j = 0u; j < ${perColumn}u; j++) { sum += bProducts[start + j]; }
        return ${scaleOfUpdate} * sum;
      }`,
    before: wgsl`
      findH();
      ${unroll(held, "let heldB@i = bAt(lane + @iu * WORKGROUP_SIZE);")}
      let hWidth = 1u << (32u - countLeadingZeros(max(hCount, 1u) - 1u)); // lanes that have a vector each
      let hLane = ${placeInSubgroup};
      let hPlace = min(hFirst + hLane % hWidth, ${vectors - 1}u);
      let hShare = (team * ${width}u + hLane) / hWidth;
      let hShares = WORKGROUP_SIZE / hWidth;
      ${rows === 1 ? `let hRow = groupRow;\n${load}` : ""}`,
    prepared:
      rows === 1
        ? add("0u")
        : wgsl`
            for (var r = 0u; r < ${rows}u; r++) {
              let hRow = min(groupRow + r, params.m - 1u);
              ${load}
              ${add("r")}
            }`,
    after: unroll(
      held,
      wgsl`
        if (lane + @iu * WORKGROUP_SIZE < ${tile}u) {
          let i = lane + @iu * WORKGROUP_SIZE;
          for (var r = 0u; r < ${rows}u; r++) { bProducts[r * ${tile}u + i] = dot(hAt(r, hPlaceOf(i)), heldB@i); }
        }`,
    ),
    last: "",
  };
}

/** As `aheadText`: every lane has an element of a, which it multiplies with that of the result; lanes of a subgroup add up by shuffles. */
export function lanesAheadText({ aheadRanks, hasAheadNorm, rows, workgroupSize, width }: FewRowsSpec, columns: number): LowRankText {
  const tile = aheadRanks * columns;
  const held = Math.ceil(tile / workgroupSize);
  const multiply = wgsl`
    {
      var product = value * heldAhead@i;
      ${times(Math.log2(columns), (step) => `product += subgroupShuffleXor(product, ${2 ** step}u);`)}
      let i = aheadPlace + @iu * WORKGROUP_SIZE;
      if (i % ${columns}u == 0u && i < ${tile}u && groupRow + r < params.m) {
        aheadParts[(groupCol / ${columns}u * params.m + groupRow + r) * ${aheadRanks}u + i / ${columns}u] = product;
      }
    }`;
  return {
    ...nothing,
    functions: wgsl`
      var<workgroup> outcome: array<f32, ${rows * columns}>;
      ${aheadFunction(columns, tile)}`,
    before: wgsl`
      let aheadPlace = team * ${width}u + ${placeInSubgroup};
      ${unroll(held, "let heldAhead@i = aheadAt(aheadPlace + @iu * WORKGROUP_SIZE);")}
      ${hasAheadNorm ? `let heldNorm = aheadNorm[min(groupCol + aheadPlace % ${columns}u, params.n - 1u)];` : ""}`,
    last: wgsl`
      workgroupBarrier();
      for (var r = 0u; r < ${rows}u; r++) {
        let value = outcome[r * ${columns}u + aheadPlace % ${columns}u]${hasAheadNorm ? " * heldNorm" : ""};
        ${unroll(held, multiply)}
      }`,
  };
}
