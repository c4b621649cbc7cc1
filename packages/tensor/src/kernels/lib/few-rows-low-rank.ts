import { wgsl } from "../wgsl.js";
import { areLanesEnough, areLanesEnoughAhead, lanesAheadText, lanesUpdateText } from "./few-rows-low-rank-lanes.js";
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
import { unroll } from "./unroll.js";

/** Sums of parts of h, of each row, that are under way at once. It depends on nothing else, so that a row's sums are the same whatever rows are beside it. */
const sharesTogether = 128;

/**
 * `fn lowRank(part: u32, row: u32, col: u32) -> f32`: scale · sum over j of h[row, j] · b[col, j], with h the sum of `hParts` parts, [hParts, m, ranks], which
 * every workgroup adds up for the ranks of its own columns. What it reads is under way before the loop over the depth.
 *
 * @param columns  of the result, of a workgroup
 */
export function updateText(spec: FewRowsSpec, columns: number): LowRankText {
  const { updateRanks, mostRanks, rows, workgroupSize } = spec;
  if (updateRanks === 0) return nothing;
  if (areLanesEnough(spec, columns)) return lanesUpdateText(spec, columns);
  const vectors = updateRanks / 4; // of a row of h
  const tile = tileOfB(spec, columns);
  const held = Math.ceil(tile / workgroupSize);
  const isHeld = held <= mostHeld;
  return {
    ...nothing,
    functions: wgsl`
      var<workgroup> hShares: array<vec4<f32>, ${rows * Math.max(sharesTogether, vectors)}>;
      var<workgroup> hSums: array<vec4<f32>, ${rows * vectors}>;
      ${isHeld ? `var<workgroup> bTile: array<vec4<f32>, ${tile}>;` : ""}
      ${ranksFunctions(spec, columns)}
      fn sharesOfH() -> u32 { return max(1u, ${sharesTogether}u / max(1u, hCount)); }
      fn addParts(lane: u32) {
        let items = ${rows}u * hCount;
        let shares = sharesOfH();
        for (var i = lane; i < items * shares; i += WORKGROUP_SIZE) {
          let row = min(groupRow + i % items / hCount, params.m - 1u);
          var sum = vec4<f32>();
          for (var part = i / items; part < params.hParts; part += shares) {
            sum += h[(part * params.m + row) * ${vectors}u + hFirst + i % hCount];
          }
          hShares[i] = sum;
        }
      }
      fn addShares(lane: u32) {
        let items = ${rows}u * hCount;
        for (var i = lane; i < items; i += WORKGROUP_SIZE) {
          var sum = hShares[i];
          for (var share = 1u; share < sharesOfH(); share++) { sum += hShares[share * items + i]; }
          hSums[i] = sum;
        }
      }
      ${isHeld ? bFunction(spec, columns) : ""}
      fn lowRank(part: u32, row: u32, col: u32) -> f32 {
        let rank = ranksOf(part);
        let hStart = (row - groupRow) * hCount + ranksBefore(part) - hFirst;
        let bStart = ${isHeld ? `(${placesOf(spec, columns).columnOf}) * ${mostRanks / 4}u` : "chosen(part, params.b0, params.b1, params.b2) / 4u + col * rank"};
        var sum = 0.0;
        for (var j = 0u; j < rank; j++) { sum += dot(hSums[hStart + j], ${isHeld ? "bTile" : "b"}[bStart + j]); }
        return ${scaleOfUpdate} * sum;
      }`,
    before: wgsl`
      findH();
      ${isHeld ? unroll(held, "let heldB@i = bAt(lane + @iu * WORKGROUP_SIZE);") : ""}
      addParts(lane);`,
    after: isHeld ? unroll(held, `if (lane + @iu * WORKGROUP_SIZE < ${tile}u) { bTile[lane + @iu * WORKGROUP_SIZE] = heldB@i; }`) : "",
    last: wgsl`
      addShares(lane);
      workgroupBarrier();`,
  };
}

/**
 * The columns of a workgroup times each a of the updates of the layers that take the result, as one part of that product: aheadParts[group, row, j] = sum over
 * its columns of result[row, col] (· aheadNorm[col]) · a[j, col]. The result is in `outcome`.
 *
 * @param columns  of the result, of a workgroup
 */
export function aheadText(spec: FewRowsSpec, columns: number): LowRankText {
  const { aheadRanks, hasAheadNorm, rows, workgroupSize } = spec;
  if (aheadRanks === 0) return nothing;
  if (areLanesEnoughAhead(spec, columns)) return lanesAheadText(spec, columns);
  const tile = (aheadRanks + (hasAheadNorm ? 1 : 0)) * columns; // the norm's weight comes last
  const held = Math.ceil(tile / workgroupSize);
  const isHeld = held <= mostHeld;
  const of = (row: string): string => (isHeld ? `aheadTile[${row} * ${columns}u + c]` : `aheadAt(${row} * ${columns}u + c)`);
  return {
    ...nothing,
    functions: wgsl`
      var<workgroup> outcome: array<f32, ${rows * columns}>;
      ${isHeld ? `var<workgroup> aheadTile: array<f32, ${tile}>;` : ""}
      ${aheadFunction(columns, tile, hasAheadNorm ? `if (j == ${aheadRanks}u) { return aheadNorm[col]; }` : "")}`,
    before: isHeld ? unroll(held, "let heldAhead@i = aheadAt(lane + @iu * WORKGROUP_SIZE);") : "",
    after: isHeld
      ? unroll(held, `if (lane + @iu * WORKGROUP_SIZE < ${tile}u) { aheadTile[lane + @iu * WORKGROUP_SIZE] = heldAhead@i; }`)
      : "",
    last: wgsl`
      workgroupBarrier();
      for (var i = lane; i < ${rows * aheadRanks}u; i += WORKGROUP_SIZE) {
        let j = i % ${aheadRanks}u;
        let row = groupRow + i / ${aheadRanks}u;
        var sum = 0.0;
        for (var c = 0u; c < ${columns}u; c++) { sum += outcome[i / ${aheadRanks}u * ${columns}u + c] * ${of("j")}${hasAheadNorm ? ` * ${of(`${aheadRanks}u`)}` : ""}; }
        if (row < params.m) { aheadParts[(groupCol / ${columns}u * params.m + row) * ${aheadRanks}u + j] = sum; }
      }`,
  };
}
