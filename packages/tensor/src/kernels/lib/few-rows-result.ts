import type { FloatDtype } from "../../dtype.js";
import { wgsl } from "../wgsl.js";
import { sigmoidFunction } from "./sigmoid.js";
import { unroll } from "./unroll.js";

/** What becomes of the sums of a product of few rows. */
export type FewRowsResult = {
  dtype: FloatDtype;
  hasNorm: boolean;
  hasBias: boolean;
  hasAddend: boolean;
  hasLowRank: boolean;
  /** Two matrices, gate and up, whose results are multiplied. */
  swiGlu: boolean;
  /** h has the scale of the norm in it already. */
  isUpdateNormed: boolean;
  /** Ranks of the updates of the layers that take the result: it is multiplied with each a of these too, in parts. 0 for none. */
  aheadRanks: number;
  /** The result is multiplied with the weight of a norm for that. */
  hasAheadNorm: boolean;
};

/** A product with nothing beside it, for examples. */
export const plainResult: Omit<FewRowsResult, "dtype"> = {
  hasNorm: false,
  hasBias: false,
  hasAddend: false,
  hasLowRank: false,
  swiGlu: false,
  isUpdateNormed: true,
  aheadRanks: 0,
  hasAheadNorm: false,
};

/**
 * `fn writeResult(share: u32, r: u32, c: u32, row: u32, col: u32) -> f32`: what comes after the sums, and the one rounding, from `fn sumOf(share: u32, index: u32) -> f32`, whose sums
 * are those of `rows` rows of `columns`, then the squares of the rows. Gives what was rounded.
 *
 * @param lowRank  text of `fn lowRank(part: u32, row: u32, col: u32) -> f32`
 */
export function fewRowsResult(
  { swiGlu, hasNorm, hasBias, hasAddend, hasLowRank, isUpdateNormed }: FewRowsResult,
  rows: number,
  columns: number,
  lowRank: string = lowRankFunction(),
): string {
  return wgsl`
    fn chosen(part: u32, first: u32, second: u32, third: u32) -> u32 { return select(select(first, second, part == 1u), third, part == 2u); }
    ${swiGlu ? sigmoidFunction("f32") : ""}
    ${hasLowRank ? lowRank : ""}
    // Of one matrix: column \`c\` of a team, \`col\` of part \`part\`.
    fn resultOf(share: u32, r: u32, c: u32, part: u32, row: u32, col: u32) -> f32 {
      var value = sumOf(share, r * ${columns}u + c);
      ${hasLowRank && !isUpdateNormed ? "value += lowRank(part, row, col);" : ""}
      ${hasNorm ? `value *= inverseSqrt(sumOf(share, ${rows * columns}u + r) / f32(params.k) + params.eps);` : ""}
      ${hasBias ? "value += bias[chosen(part, params.bias0, params.bias1, params.bias2) + col];" : ""}
      ${hasLowRank && isUpdateNormed ? "value += lowRank(part, row, col);" : ""}
      return value;
    }
    fn writeResult(share: u32, r: u32, c: u32, row: u32, col: u32) -> f32 {
      ${
        swiGlu
          ? wgsl`
              let gate = resultOf(share, r, c, 0u, row, col);
              var value = gate * sigmoid(gate) * resultOf(share, r, c + ${columns / 2}u, 1u, row, col);`
          : wgsl`
              let part = u32(col >= params.end0) + u32(col >= params.end1);
              var value = resultOf(share, r, c, part, row, col - chosen(part, 0u, params.end0, params.end1));`
      }
      ${hasAddend ? "value += addend[row * params.n + col];" : ""}
      y[row * params.n + col] = Dtype(value);
      return value;
    }`;
}

/** `lowRank`: scale · sum over j of h[row, j] · b[col, j], of the part's own ranks, multiples of four; h has the ranks of all parts side by side. */
function lowRankFunction(): string {
  return wgsl`
    fn lowRank(part: u32, row: u32, col: u32) -> f32 {
      let rank = chosen(part, params.rank0, params.rank1, params.rank2) / 4u;
      let hStart = (row * (params.rank0 + params.rank1 + params.rank2) + chosen(part, 0u, params.rank0, params.rank0 + params.rank1)) / 4u;
      let bStart = chosen(part, params.b0, params.b1, params.b2) / 4u + col * rank;
      var sum = 0.0;
      for (var j = 0u; j < rank; j += 4u) { // four loads of each under way at once
        ${unroll(
          4,
          wgsl`
          let j@i = min(j + @iu, rank - 1u);
          let h@i = h[hStart + j@i];
          let b@i = b[bStart + j@i];`,
        )}
        ${unroll(4, "sum += select(0.0, dot(h@i, b@i), j + @iu < rank);")}
      }
      return select(select(params.scale0, params.scale1, part == 1u), params.scale2, part == 2u) * sum;
    }`;
}
