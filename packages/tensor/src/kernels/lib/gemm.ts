import type { FloatDtype } from "../../dtype.js";
import { wgsl } from "../wgsl.js";
import type { MatrixMode } from "./subgroup-matrix.js";

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
  /** m ≤ 8: a block of few rows. */
  short: boolean;
  /** n, k and the offsets are multiples of 8, so that rows can be loaded as vec4<u32>. */
  aligned: boolean;
  /** k is a multiple of 32, so that no tile has a tail in depth. */
  evenDepth: boolean;
  method: "plain" | "broadcast" | "tiled" | "subgroupMatrix";
  matrix: MatrixMode;
  workgroupSize: number;
  aElement: string;
  bElement: string;
  cElement: string;
};

/** `count` pieces of WGSL, one a line. */
export function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join("\n");
}

/** `fn writeResult(row: u32, col: u32, sum: f32)`: alpha, bias, addend, one rounding. */
export function writeResult({ hasBias, hasAddend, accumulate }: GemmSpec): string {
  return wgsl`
    fn writeResult(row: u32, col: u32, sum: f32) {
      let index = row * params.n + col;
      var value = params.alpha * sum;
      ${hasBias ? "value += bias[col];" : ""}
      ${hasAddend ? "value += addend[index];" : ""}
      ${accumulate ? "value += f32(c[params.cOffset + index]);" : ""}
      c[params.cOffset + index] = Dtype(value);
    }`;
}
