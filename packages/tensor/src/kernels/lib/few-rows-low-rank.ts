import { wgsl } from "../wgsl.js";
import type { FewRowsSpec } from "./few-rows.js";
import { unroll } from "./unroll.js";

/** Pieces of a kernel for few rows that have to do with low-rank updates, each for its place. Without an update all are empty. */
export interface LowRankText {
  functions: string;
  /** Before the loop over the depth: loads that are under way meanwhile. */
  before: string;
  /** After it: what was loaded goes to workgroup memory. A barrier follows. */
  after: string;
  /** After that barrier, in uniform control flow. */
  last: string;
}

const nothing: LowRankText = { functions: "", before: "", after: "", last: "" };

/** Sums of parts of h, of each row, that are under way at once. It depends on nothing else, so that a row's sums are the same whatever rows are beside it. */
const sharesTogether = 128;

/** Elements that a lane holds during the loop at most: more are read when they are needed. */
const mostHeld = 4;

/**
 * `fn lowRank(part: u32, row: u32, col: u32) -> f32`: scale · sum over j of h[row, j] · b[col, j], with h the sum of `hParts` parts, [hParts, m, ranks], which
 * every workgroup adds up for the ranks of its own columns. What it reads is under way before the loop over the depth.
 *
 * @param columns  of the result, of a workgroup
 */
export function updateText({ updateRanks, mostRanks, rows, swiGlu, workgroupSize }: FewRowsSpec, columns: number): LowRankText {
  if (updateRanks === 0) return nothing;
  const vectors = updateRanks / 4; // of a row of h
  const perColumn = mostRanks / 4;
  const tile = perColumn * columns * (swiGlu ? 2 : 1); // of b
  const held = Math.ceil(tile / workgroupSize);
  const isHeld = held <= mostHeld;
  const placeOf = swiGlu
    ? wgsl`
        let part = column / ${columns}u;
        let col = groupCol + column % ${columns}u;
        let isInside = col < params.n;`
    : wgsl`
        let part = u32(groupCol + column >= params.end0) + u32(groupCol + column >= params.end1);
        let col = groupCol + column - chosen(part, 0u, params.end0, params.end1);
        let isInside = groupCol + column < params.n;`;
  const columnOf = swiGlu ? `part * ${columns}u + col - groupCol` : "col + chosen(part, 0u, params.end0, params.end1) - groupCol";
  return {
    functions: wgsl`
      var<private> hFirst: u32; // the vectors of h that the columns of the workgroup need
      var<private> hCount: u32;
      var<workgroup> hShares: array<vec4<f32>, ${rows * Math.max(sharesTogether, vectors)}>;
      var<workgroup> hSums: array<vec4<f32>, ${rows * vectors}>;
      ${isHeld ? `var<workgroup> bTile: array<vec4<f32>, ${tile}>;` : ""}
      fn ranksOf(part: u32) -> u32 { return chosen(part, params.rank0, params.rank1, params.rank2) / 4u; }
      fn ranksBefore(part: u32) -> u32 { return chosen(part, 0u, params.rank0, params.rank0 + params.rank1) / 4u; }
      fn sharesOfH() -> u32 { return max(1u, ${sharesTogether}u / max(1u, hCount)); }
      fn addParts(lane: u32) {
        let first = ${swiGlu ? "0u" : "u32(groupCol >= params.end0) + u32(groupCol >= params.end1)"};
        let lastCol = min(groupCol + ${columns - 1}u, params.n - 1u);
        let last = ${swiGlu ? "1u" : "u32(lastCol >= params.end0) + u32(lastCol >= params.end1)"};
        hFirst = ranksBefore(first);
        hCount = ranksBefore(last) + ranksOf(last) - hFirst;
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
      ${
        isHeld
          ? wgsl`
              fn bAt(i: u32) -> vec4<f32> {
                let column = i / ${perColumn}u;
                let j = i % ${perColumn}u;
                ${placeOf}
                if (i >= ${tile}u || !isInside || j >= ranksOf(part)) { return vec4<f32>(); }
                return b[chosen(part, params.b0, params.b1, params.b2) / 4u + col * ranksOf(part) + j];
              }`
          : ""
      }
      fn lowRank(part: u32, row: u32, col: u32) -> f32 {
        let rank = ranksOf(part);
        let hStart = (row - groupRow) * hCount + ranksBefore(part) - hFirst;
        let bStart = ${isHeld ? `(${columnOf}) * ${perColumn}u` : "chosen(part, params.b0, params.b1, params.b2) / 4u + col * rank"};
        var sum = 0.0;
        for (var j = 0u; j < rank; j++) { sum += dot(hSums[hStart + j], ${isHeld ? "bTile" : "b"}[bStart + j]); }
        return select(select(params.scale0, params.scale1, part == 1u), params.scale2, part == 2u) * sum;
      }`,
    before: wgsl`
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
export function aheadText({ aheadRanks, hasAheadNorm, rows, workgroupSize }: FewRowsSpec, columns: number): LowRankText {
  if (aheadRanks === 0) return nothing;
  const tile = (aheadRanks + (hasAheadNorm ? 1 : 0)) * columns; // the norm's weight comes last
  const held = Math.ceil(tile / workgroupSize);
  const isHeld = held <= mostHeld;
  const of = (row: string): string => (isHeld ? `aheadTile[${row} * ${columns}u + c]` : `aheadAt(${row} * ${columns}u + c)`);
  return {
    functions: wgsl`
      var<workgroup> outcome: array<f32, ${rows * columns}>;
      ${isHeld ? `var<workgroup> aheadTile: array<f32, ${tile}>;` : ""}
      fn aheadAt(i: u32) -> f32 {
        let j = i / ${columns}u;
        let col = groupCol + i % ${columns}u;
        if (i >= ${tile}u || col >= params.n) { return 0.0; }
        ${hasAheadNorm ? `if (j == ${aheadRanks}u) { return aheadNorm[col]; }` : ""}
        let part = u32(j >= params.aheadEnd0) + u32(j >= params.aheadEnd1);
        let row = j - chosen(part, 0u, params.aheadEnd0, params.aheadEnd1);
        return ahead[chosen(part, params.ahead0, params.ahead1, params.ahead2) + row * params.n + col];
      }`,
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
