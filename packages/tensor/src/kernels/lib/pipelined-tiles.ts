import type { FloatDtype } from "../../dtype.js";
import { wgsl } from "../wgsl.js";
import type { MatrixMode } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/** How b lies in memory: `rows` [n, k], `columns` [k, n], `eights` [k / 8, n, 8]. */
export type RightOrder = "rows" | "columns" | "eights";

/** What a pipelined product is specialised on. */
export type PipelinedSpec = {
  order: RightOrder;
  dtype: FloatDtype;
  hasBias: boolean;
  hasAddend: boolean;
  /** Adds to what c holds. */
  accumulate: boolean;
  /** Adds a product of two f32 matrices of low rank, `pipelined-low-rank.ts`. */
  hasLowRank: boolean;
  /** c has fewer than 64 tiles of 128 × 192: smaller ones keep more of the GPU busy, each with a workgroup of its own. */
  fewTiles: boolean;

  matrix: MatrixMode;
  workgroupSize: number;
  /** Rows and columns of c that a subgroup has, and subgroups of a workgroup. */
  subgroupRows: number;
  subgroupCols: number;
  subgroupsDown: number;
  subgroupsAcross: number;
  reduce: "subgroup" | "plain";
  cElement: string;
};

/** Depth of a tile. */
export const tileDepth = 32;

/** vec4s of eight f16 that a row of a tile has. */
const perRow: number = tileDepth / 8;

/** Rows and columns of c that a workgroup has. */
export function pipelinedTile(spec: Pick<PipelinedSpec, "subgroupRows" | "subgroupCols" | "subgroupsDown" | "subgroupsAcross">): {
  rows: number;
  cols: number;
} {
  return { rows: spec.subgroupRows * spec.subgroupsDown, cols: spec.subgroupCols * spec.subgroupsAcross };
}

/** Where the operands of a tile lie in a stage of workgroup memory, in vec4s of eight f16. */
export interface StageLayout {
  vectors: number;
  /** Of each operand what a lane carries of a tile. */
  perLane: { left: number; right: number };
  /** Between two rows of a; between two columns, or in `columns` two depths, of b. */
  leftPitch: number;
  rightPitch: number;
  /** From a fragment of b to the one 16 deeper. */
  depthStep: number;
}

/**
 * Rows of an odd number of vec4s, so that no bank is met twice. Where both operands go along depth, a row of memory has four vec4s of a row of a, four of a
 * column of b, and one of padding; the columns that b has more than a has rows fill rows of their own. Else b comes after a.
 */
export function stageLayout(spec: PipelinedSpec): StageLayout {
  const { rows, cols } = pipelinedTile(spec);
  const perLane = { left: (rows * perRow) / spec.workgroupSize, right: (cols * perRow) / spec.workgroupSize };
  if (spec.order === "columns") {
    const [leftPitch, rightPitch] = [perRow + 1, cols / 8 + 1];
    return { vectors: rows * leftPitch + tileDepth * rightPitch, perLane, leftPitch, rightPitch, depthStep: 16 * rightPitch };
  }
  const pitch = 2 * perRow + 1;
  return { vectors: (rows + (cols - rows) / 2) * pitch, perLane, leftPitch: pitch, rightPitch: pitch, depthStep: 2 };
}

/** `fn rightPlace(column: u32) -> u32`: where a column of b, or in `columns` eight of them, begins in a stage. */
export function rightPlace(spec: PipelinedSpec): string {
  const { rows, cols } = pipelinedTile(spec);
  const { leftPitch, rightPitch } = stageLayout(spec);
  if (spec.order === "columns") return wgsl`fn rightPlace(column: u32) -> u32 { return ${rows * leftPitch}u + column / 8u; }`;
  const [beside, below] = [rows / 16, (cols - rows) / 32];
  return wgsl`
    fn rightPlace(column: u32) -> u32 {
      let tile = column / 16u;
      let more = tile - ${beside}u;
      let start = select((${beside}u + more % ${below}u) * ${16 * rightPitch}u + more / ${below}u * ${perRow}u, tile * ${16 * rightPitch}u + ${perRow}u, tile < ${beside}u);
      return start + column % 16u * ${rightPitch}u;
    }`;
}

/**
 * For each vec4 that a lane carries of a tile: its line and eight of the depth, and its place in a stage. A quarter of a subgroup has rows r and r + 4, so that
 * its eight stores meet no bank twice (5 % on an H200, 2026-11-29).
 */
export function carriedPlaces(spec: PipelinedSpec): string {
  const { cols } = pipelinedTile(spec);
  const { perLane, leftPitch, rightPitch } = stageLayout(spec);
  const lanes = spec.workgroupSize;
  const along = (operand: string, j: number): string => wgsl`
    let ${operand}Line${j} = (lane + ${lanes * j}u) / 32u * 8u + (lane / 4u) % 2u * 4u + (lane / 8u) % 4u;
    let ${operand}Eight${j} = lane % 4u;`;
  const right: Record<RightOrder, (j: number) => string> = {
    rows: (j) => wgsl`
      ${along("right", j)}
      let rightPlace${j} = rightPlace(rightLine${j}) + rightEight${j};`,
    eights: (j) => wgsl`
      let rightLine${j} = (lane + ${lanes * j}u) % ${cols}u;
      let rightEight${j} = (lane + ${lanes * j}u) / ${cols}u;
      let rightPlace${j} = rightPlace(rightLine${j}) + rightEight${j};`,
    columns: (j) => wgsl`
      let rightLine${j} = (lane + ${lanes * j}u) / ${cols / 8}u; // a depth
      let rightEight${j} = (lane + ${lanes * j}u) % ${cols / 8}u;
      let rightPlace${j} = rightPlace(8u * rightEight${j}) + rightLine${j} * ${rightPitch}u;`,
  };
  return wgsl`
    ${times(
      perLane.left,
      (j) => wgsl`
        ${along("left", j)}
        let leftPlace${j} = leftLine${j} * ${leftPitch}u + leftEight${j};
        var leftNext${j}: vec4<u32>;`,
    )}
    ${times(perLane.right, (j) => `${right[spec.order](j)}\nvar rightNext${j}: vec4<u32>;`)}`;
}

/** Where what a lane carries begins, for the tile of c at `firstRow` and `firstCol`; `word` is "var " where this is declared. What lies past the last row or column is the last one again. */
export function carriedStarts(spec: PipelinedSpec, word: string): string {
  const { perLane } = stageLayout(spec);
  const right: Record<RightOrder, (j: number) => string> = {
    rows: (j) => `params.bOffset / 8u + min(firstCol + rightLine${j}, params.n - 1u) * (params.k / 8u) + rightEight${j}`,
    eights: (j) => `rightEight${j} * params.n + min(firstCol + rightLine${j}, params.n - 1u)`,
    columns: (j) => `params.bOffset / 8u + rightLine${j} * (params.n / 8u) + min(firstCol / 8u + rightEight${j}, params.n / 8u - 1u)`,
  };
  return wgsl`
    ${times(perLane.left, (j) => `${word}leftStart${j} = params.aOffset / 8u + min(firstRow + leftLine${j}, params.m - 1u) * (params.k / 8u) + leftEight${j};`)}
    ${times(perLane.right, (j) => `${word}rightStart${j} = ${right[spec.order](j)};`)}`;
}

/** Statements that read what a lane carries of the tile that begins at a depth; `depth` is WGSL. */
export function fetches(spec: PipelinedSpec, depth: string): string[] {
  const { perLane } = stageLayout(spec);
  const step = { rows: `${depth} / 8u`, eights: `${depth} / 8u * params.n`, columns: `${depth} * (params.n / 8u)` }[spec.order];
  return [
    ...list(perLane.left, (j) => `leftNext${j} = a[leftStart${j} + ${depth} / 8u];`),
    ...list(perLane.right, (j) => `rightNext${j} = b[rightStart${j} + ${step}];`),
  ];
}

/** Gives what a lane carries a second name, …Held…, so that more can be sent for. */
export function heldBack(spec: PipelinedSpec): string {
  const { perLane } = stageLayout(spec);
  return wgsl`
    ${times(perLane.left, (j) => `let leftHeld${j} = leftNext${j};`)}
    ${times(perLane.right, (j) => `let rightHeld${j} = rightNext${j};`)}`;
}

/** Statements that put what a lane carries into a stage. */
export function puts(spec: PipelinedSpec, stage: number, name: "Next" | "Held" = "Next"): string[] {
  const { perLane } = stageLayout(spec);
  return [
    ...list(perLane.left, (j) => `stage${stage}[leftPlace${j}] = left${name}${j};`),
    ...list(perLane.right, (j) => `stage${stage}[rightPlace${j}] = right${name}${j};`),
  ];
}

/** What `item` makes of each number from 0 to count − 1. */
export function list<T>(count: number, item: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => item(index));
}
