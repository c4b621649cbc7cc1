import type { FloatDtype } from "../../dtype.js";
import { wgsl } from "../wgsl.js";
import type { MatrixMode } from "./subgroup-matrix.js";

/** Narrow products get narrow tiles: `tall` with n ≤ 32, `wide` with m ≤ 32. */
export type TileShape = "square" | "tall" | "wide";

/** What every way of multiplying matrices is specialised on. */
export type GemmSpec = {
  aType: FloatDtype;
  bType: FloatDtype;
  dtype: FloatDtype;
  transposeA: boolean;
  transposeB: boolean;
  /** Adds to what c holds. */
  accumulate: boolean;
  hasBias: boolean;
  hasAddend: boolean;
  tileShape: TileShape;
  /** m ≤ 8. */
  short: boolean;
  /** With `matVec`: rows of a that are taken together, 1, 2, 4 or 8, and subgroups that share the depth of a column. */
  matVecRows: number;
  depthWays: number;
  /** m ≤ 32, or so few that b is best read once. */
  fewRows: boolean;
  /** Rows of a, b and c as they are stored, and the offsets, are multiples of 8: they can be read as vectors. */
  aligned: boolean;
  /** k is a multiple of 64, so that no tile has a tail in depth. */
  evenDepth: boolean;
  /** c has fewer than 64 tiles of 128 × 128: smaller ones keep more of the GPU busy. */
  fewTiles: boolean;

  method: "plain" | "broadcast" | "tiled" | "matVec" | "subgroupMatrix";
  workgroupSize: number;
  /** Rows and columns of c that a subgroup has, with `subgroupMatrix`. */
  subgroupRows: number;
  subgroupCols: number;
  /** Subgroups of a workgroup. */
  subgroupsDown: number;
  subgroupsAcross: number;
  /** Depth of a tile in workgroup memory. */
  tileDepth: number;
  matrix: MatrixMode;
  /** Reads and writes vec4s, with `tiled`. */
  vector: boolean;
  aElement: string;
  bElement: string;
  addendElement: string;
  cElement: string;
};

/** Statements that define the part of the depth, `firstDepth` up to `endDepth`, that workgroups with this `group.z` sum. */
export function depthRange(): string {
  return wgsl`
    let firstDepth = group.z * params.depthPerSplit;
    let endDepth = min(firstDepth + params.depthPerSplit, params.k);`;
}

/** `fn writeResult(row: u32, col: u32, split: u32, sum: f32)`: alpha, bias, addend, one rounding. */
export function writeResult({ hasBias, hasAddend, accumulate }: GemmSpec): string {
  return wgsl`
    fn writeResult(row: u32, col: u32, split: u32, sum: f32) {
      let index = row * params.n + col;
      let place = params.cOffset + split * params.m * params.n + index;
      var value = params.alpha * sum;
      ${hasBias ? "value += bias[col];" : ""}
      ${hasAddend ? "value += addend[index];" : ""}
      ${accumulate ? "value += f32(c[place]);" : ""}
      c[place] = Dtype(value);
    }`;
}
