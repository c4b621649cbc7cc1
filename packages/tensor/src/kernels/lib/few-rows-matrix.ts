import type { Capabilities } from "../../device/capabilities.js";
import { wgsl } from "../wgsl.js";
import { fewRowsResult, type FewRowsResult } from "./few-rows-result.js";
import { computeMain, oneGroupPer } from "./grid.js";
import {
  hasSubgroupMatrix,
  matrixCalls,
  startMatrices,
  subgroupMatrices,
  subgroupMatrixEnables,
  type MatrixMode,
} from "./subgroup-matrix.js";
import { times, unroll } from "./unroll.js";

/** What a product of few rows on matrix units is specialised on, whatever its weights are stored as. */
export type FewRowsMatrixSpec = FewRowsResult & {
  xElement: "vec4<u32>";
  /** Tiles of 16 rows. */
  rowTiles: 1 | 2;
  matrix: MatrixMode;
  /** 32 for each subgroup. */
  workgroupSize: number;
};

/** Columns of y that a workgroup has. */
export const matrixColumns = 16;

/** Elements of the depth that a subgroup takes at a time. */
export const matrixDepth = 64;

/** Vectors of eight between columns of a tile: an odd number, so that no two columns of a fragment share a bank. */
export const tilePitch: number = matrixDepth / 8 + 1;

export const fewRowsMatrixVariants: { name: string; when(capabilities: Capabilities): boolean; spec: { matrix: MatrixMode } }[] = [
  { name: "subgroup", when: hasSubgroupMatrix, spec: { matrix: "subgroup" } },
  { name: "emulated", when: () => false, spec: { matrix: "emulated" } }, // the same code with slow matrices, for tests without tensor cores
];

/** Lanes of a workgroup: as many subgroups, up to eight, as have room for their pieces of the weight and of x, and for their sums after them. */
export function matrixWorkgroup(tiles: Pick<FewRowsMatrixSpec, "rowTiles" | "swiGlu">, maxBytes: number): number {
  return 32 * Math.max(1, Math.min(8, Math.floor(maxBytes / (16 * vectorsOfSubgroup(tiles)))));
}

/** Vectors of four words that a subgroup has of workgroup memory. */
function vectorsOfSubgroup({ rowTiles, swiGlu }: Pick<FewRowsMatrixSpec, "rowTiles" | "swiGlu">): number {
  const columns = matrixColumns * (swiGlu ? 2 : 1);
  return Math.max((columns + 16 * rowTiles) * tilePitch, (columns * 16 * rowTiles) / 4);
}

export function fewRowsMatrixGrid({ n }: { n: number }): readonly [number, number, number] {
  return oneGroupPer(Math.ceil(n / matrixColumns));
}

export function fewRowsMatrixEnables({ matrix }: FewRowsMatrixSpec): string[] {
  return subgroupMatrixEnables(matrix);
}

/** The parts of such a kernel that know how weights are stored; `tile` is 0, or 1 for the columns of up. */
export interface MatrixWeights {
  /** Functions and workgroup variables. */
  functions: string;
  /** Before the loop, by every lane. */
  prepare: string;
  /** Declares what a lane holds of the next piece of a tile. */
  declare(tile: number): string;
  /**
   * Loads it: of the 16 columns whose first begins at element `start<tile>` of matrix `part<tile>`, from depth 64 · `chunk` on; zeros where not `isWithin`.
   * `l` is the lane of the subgroup.
   */
  fetch(tile: number): string;
  /** Puts it to `tiles`: eight f16 of column c, from depth 8 · d on, at `place<tile>` + c · tilePitch + d. */
  put(tile: number): string;
}

/**
 * The whole kernel but for the weights: a workgroup has 16 columns of y and all rows, its subgroups pieces of the depth in turn. A piece of the weight and of x
 * goes through workgroup memory, the next one is on its way meanwhile. x has memory for whole tiles of rows; what lies there past the last reaches no result.
 */
export function fewRowsMatrixBody(spec: FewRowsMatrixSpec, weights: MatrixWeights): string {
  const { rowTiles, matrix, workgroupSize, swiGlu } = spec;
  const tiles = swiGlu ? 2 : 1;
  const subgroups = workgroupSize / 32;
  const calls = matrixCalls(matrix);
  const [rows, columns] = [16 * rowTiles, matrixColumns * tiles];
  const each = (text: (tile: number) => string): string => times(tiles, text);
  const fetch = wgsl`
    ${each(weights.fetch)}
    ${unroll(4 * rowTiles, `nextRows@i = x[(l / 8u + @iu * 4u) * params.k / 8u + chunk * ${matrixDepth / 8}u + l % 8u];`)}`;
  return wgsl`
    const SUBGROUPS = ${subgroups}u;
    const SUMS = ${rows * columns}u; // of a subgroup
    var<workgroup> tiles: array<vec4<u32>, ${subgroups * vectorsOfSubgroup(spec)}>; // of columns, then of rows; in the end the sums
    ${subgroupMatrices(matrix, { halves: ["tiles"], sumBits: ["tiles"] })}
    fn sumOf(share: u32, index: u32) -> f32 {
      var sum = 0.0;
      for (var i = 0u; i < SUBGROUPS; i++) { sum += bitcast<f32>(tiles[(i * SUMS + index) / 4u][index % 4u]); }
      return sum;
    }
    ${fewRowsResult(spec, rows, columns)}
    ${weights.functions}

    ${computeMain(spec)} {
      ${startMatrices(matrix)}
      ${weights.prepare}
      let l = lane % 32u;
      let subgroup = lane / 32u;
      let firstCol = foldedIndex(group, groups) * ${matrixColumns}u;
      if (firstCol >= params.n) { return; }
      ${
        swiGlu
          ? times(
              2,
              (tile) => wgsl`
                let part${tile} = ${tile}u;
                let start${tile} = params.weight${tile} + firstCol * params.k;`,
            )
          : wgsl`
              let part0 = u32(firstCol >= params.end0) + u32(firstCol >= params.end1);
              let start0 = chosen(part0, params.weight0, params.weight1, params.weight2) + (firstCol - chosen(part0, 0u, params.end0, params.end1)) * params.k;`
      }
      let own = subgroup * ${vectorsOfSubgroup(spec)}u;
      ${each((tile) => `let place${tile} = own + ${tile * matrixColumns * tilePitch}u;`)}
      let rowPlace = own + ${columns * tilePitch}u;
      ${times(rowTiles, (i) => each((j) => `var sum${i}_${j}: Sum;`))}
      ${each(weights.declare)}
      ${unroll(4 * rowTiles, "var nextRows@i: vec4<u32>;")}
      let chunks = params.k / ${matrixDepth}u;
      let turns = (chunks + SUBGROUPS - 1u) / SUBGROUPS;
      {
        let isWithin = subgroup < chunks;
        let chunk = min(subgroup, chunks - 1u);
        ${fetch}
      }
      for (var turn = 0u; turn < turns; turn++) {
        workgroupBarrier();
        ${each(weights.put)}
        ${unroll(4 * rowTiles, `tiles[rowPlace + (l / 8u + @iu * 4u) * ${tilePitch}u + l % 8u] = nextRows@i;`)}
        workgroupBarrier();
        if (turn + 1u < turns) {
          let next = (turn + 1u) * SUBGROUPS + subgroup;
          let isWithin = next < chunks;
          let chunk = min(next, chunks - 1u);
          ${fetch}
        }
        ${times(
          matrixDepth / 16,
          (step) => wgsl`
            {
              ${times(rowTiles, (i) => `let left${i} = ${calls.left("tiles", `rowPlace + ${16 * i * tilePitch + 2 * step}u`, `${tilePitch}u`)};`)}
              ${each((j) => `let right${j} = ${calls.rightOfRows("tiles", `place${j} + ${2 * step}u`, `${tilePitch}u`)};`)}
              ${times(rowTiles, (i) => each((j) => `sum${i}_${j} = ${calls.multiplyAdd(`left${i}`, `right${j}`, `sum${i}_${j}`)};`))}
            }`,
        )}
      }
      workgroupBarrier();
      ${times(rowTiles, (i) => each((j) => calls.store("tiles", `(subgroup * SUMS + ${16 * i * columns + matrixColumns * j}u) / 4u`, `${columns / 4}u`, `sum${i}_${j}`)))}
      workgroupBarrier();
      for (var place = lane; place < ${rows * matrixColumns}u; place += WORKGROUP_SIZE) {
        let c = place % ${matrixColumns}u;
        let row = place / ${matrixColumns}u;
        if (row < params.m) { writeResult(0u, row, c, row, firstCol + c); }
      }
    }`;
}

/** Weights in f16: a lane has every 32nd vector of eight. */
export const halfWeights: MatrixWeights = {
  functions: "",
  prepare: "",
  declare: (tile) => unroll(4, `var next${tile}_@i: vec4<u32>;`),
  fetch: (tile) =>
    unroll(
      4,
      `next${tile}_@i = select(vec4<u32>(0u), weight[(start${tile} + (l / 8u + @iu * 4u) * params.k) / 8u + chunk * ${matrixDepth / 8}u + l % 8u], isWithin);`,
    ),
  put: (tile) => unroll(4, `tiles[place${tile} + (l / 8u + @iu * 4u) * ${tilePitch}u + l % 8u] = next${tile}_@i;`),
};
