import { wgsl } from "../wgsl.js";
import type { FewRowsSpec } from "./few-rows.js";

/** Pieces of a kernel for few rows that have to do with low-rank updates, each for its place. Without an update all are empty. */
export interface LowRankText {
  functions: string;
  /** Before the loop over the depth: loads that are under way meanwhile. */
  before: string;
  /** Later before that loop: sums go to workgroup memory. A barrier follows. */
  prepared: string;
  /** After the loop: what was loaded goes to workgroup memory. A barrier follows. */
  after: string;
  /** After that barrier, in uniform control flow. */
  last: string;
}

export const nothing: LowRankText = { functions: "", before: "", prepared: "", after: "", last: "" };

/** Elements that a lane holds during the loop at most: more are read when they are needed. */
export const mostHeld = 4;

/** Vectors of b that the columns of a workgroup have, each column as many as the update of most ranks. */
export function tileOfB({ mostRanks, swiGlu }: FewRowsSpec, columns: number): number {
  return (mostRanks / 4) * columns * (swiGlu ? 2 : 1);
}

/** Where columns of a workgroup are: `column` of all of it as `col` of `part`, and the other way round. */
export function placesOf({ swiGlu }: FewRowsSpec, columns: number): { placeOf: string; columnOf: string } {
  return swiGlu
    ? {
        placeOf: wgsl`
          let part = column / ${columns}u;
          let col = groupCol + column % ${columns}u;
          let isInside = col < params.n;`,
        columnOf: `part * ${columns}u + col - groupCol`,
      }
    : {
        placeOf: wgsl`
          let part = u32(groupCol + column >= params.end0) + u32(groupCol + column >= params.end1);
          let col = groupCol + column - chosen(part, 0u, params.end0, params.end1);
          let isInside = groupCol + column < params.n;`,
        columnOf: "col + chosen(part, 0u, params.end0, params.end1) - groupCol",
      };
}

/** `fn ranksOf(part: u32) -> u32`, vectors of ranks of a matrix, `fn ranksBefore(part: u32) -> u32`, and `fn findH()`, which finds what the workgroup needs of h. */
export function ranksFunctions({ swiGlu }: FewRowsSpec, columns: number): string {
  return wgsl`
    var<private> hFirst: u32; // the vectors of h that the columns of the workgroup need
    var<private> hCount: u32;
    fn ranksOf(part: u32) -> u32 { return chosen(part, params.rank0, params.rank1, params.rank2) / 4u; }
    fn ranksBefore(part: u32) -> u32 { return chosen(part, 0u, params.rank0, params.rank0 + params.rank1) / 4u; }
    fn findH() {
      let first = ${swiGlu ? "0u" : "u32(groupCol >= params.end0) + u32(groupCol >= params.end1)"};
      let lastCol = min(groupCol + ${columns - 1}u, params.n - 1u);
      let last = ${swiGlu ? "1u" : "u32(lastCol >= params.end0) + u32(lastCol >= params.end1)"};
      hFirst = ranksBefore(first);
      hCount = ranksBefore(last) + ranksOf(last) - hFirst;
    }`;
}

/** `fn bAt(i: u32) -> vec4<f32>`: vector i of b of the workgroup's columns, zeros where there is none. */
export function bFunction(spec: FewRowsSpec, columns: number): string {
  return wgsl`
    fn bAt(i: u32) -> vec4<f32> {
      let column = i / ${spec.mostRanks / 4}u;
      let j = i % ${spec.mostRanks / 4}u;
      ${placesOf(spec, columns).placeOf}
      if (i >= ${tileOfB(spec, columns)}u || !isInside || j >= ranksOf(part)) { return vec4<f32>(); }
      return b[chosen(part, params.b0, params.b1, params.b2) / 4u + col * ranksOf(part) + j];
    }`;
}

/** `scale` of the update of `part`. */
export const scaleOfUpdate = "select(select(params.scale0, params.scale1, part == 1u), params.scale2, part == 2u)";

/** `fn aheadAt(i: u32) -> f32`: element i of each a that is multiplied with the workgroup's columns, [aheadRanks, columns], 0 where there is none. */
export function aheadFunction(columns: number, tile: number, more = ""): string {
  return wgsl`
    fn aheadAt(i: u32) -> f32 {
      let j = i / ${columns}u;
      let col = groupCol + i % ${columns}u;
      if (i >= ${tile}u || col >= params.n) { return 0.0; }
      ${more}
      let part = u32(j >= params.aheadEnd0) + u32(j >= params.aheadEnd1);
      let row = j - chosen(part, 0u, params.aheadEnd0, params.aheadEnd1);
      return ahead[chosen(part, params.ahead0, params.ahead1, params.ahead2) + row * params.n + col];
    }`;
}
