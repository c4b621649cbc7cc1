import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import { times, writeResult, type GemmSpec } from "./gemm.js";

/** Rows and columns of c that a workgroup of `tiledGemm` has. */
export const tiledTile = 64;

const depthStep = 16;
/** vec4s in a row of a tile; one more than needed, against bank conflicts. */
const pitch = tiledTile / 4 + 1;

/**
 * For GPUs, any dtypes: 64 × 64 of c by 128 threads of 8 × 4, tiles of both operands in workgroup memory as f32, one row per depth. The tiles of the
 * next depths travel from storage to registers while these are multiplied.
 */
export function tiledGemm(spec: GemmSpec): string {
  return wgsl`
    ${writeResult(spec)}
    ${loader("a", "m", spec.transposeA, spec.workgroupSize)}
    ${loader("b", "n", !spec.transposeB, spec.workgroupSize)}

    ${computeMain(spec)} {
      let tilesN = (params.n + ${tiledTile - 1}u) / ${tiledTile}u;
      let tile = foldedIndex(group, groups);
      let firstRow = tile / tilesN * ${tiledTile}u;
      let firstCol = tile % tilesN * ${tiledTile}u;
      if (firstRow >= params.m) { return; }
      let laneRow = lane / 16u * 2u; // in vec4s
      let laneCol = lane % 16u;
      ${times(8, (i) => `var sum${i} = vec4<f32>();`)}
      for (var firstDepth = 0u; firstDepth < params.k; firstDepth += ${depthStep}u) {
        aLoad(firstRow, firstDepth, lane);
        bLoad(firstCol, firstDepth, lane);
        workgroupBarrier();
        for (var depth = 0u; depth < ${depthStep}u; depth++) {
          let upper = aTile[depth * ${pitch}u + laneRow];
          let lower = aTile[depth * ${pitch}u + laneRow + 1u];
          let right = bTile[depth * ${pitch}u + laneCol];
          ${times(4, (i) => `sum${i} += upper[${i}] * right;`)}
          ${times(4, (i) => `sum${i + 4} += lower[${i}] * right;`)}
        }
        workgroupBarrier();
      }
      ${times(8, (i) => `writeFour(firstRow + 4u * laneRow + ${i}u, firstCol + 4u * laneCol, sum${i});`)}
    }

    fn writeFour(row: u32, col: u32, sums: vec4<f32>) {
      if (row >= params.m) { return; }
      ${times(4, (j) => `if (col + ${j}u < params.n) { writeResult(row, col + ${j}u, sums[${j}]); }`)}
    }`;
}

/**
 * The tile of an operand, `${name}Tile`, and `fn ${name}Load(first, firstDepth, lane)`, which fills it; zeros past the edges. Neighbouring lanes read
 * neighbouring elements: along depth, or along the side where the operand has its depth outermost.
 */
function loader(name: string, side: string, depthOutermost: boolean, workgroupSize: number): string {
  const index = depthOutermost ? `depth * params.${side} + place` : `place * params.k + depth`;
  const [innerPlace, innerDepth] = depthOutermost ? [`i % ${tiledTile}u`, `i / ${tiledTile}u`] : [`i / ${depthStep}u`, `i % ${depthStep}u`];
  return wgsl`
    var<workgroup> ${name}Tile: array<vec4<f32>, ${depthStep * pitch}>;
    fn ${name}Load(first: u32, firstDepth: u32, lane: u32) {
      for (var i = lane; i < ${tiledTile * depthStep}u; i += ${workgroupSize}u) {
        let innerPlace = ${innerPlace};
        let innerDepth = ${innerDepth};
        let place = first + innerPlace;
        let depth = firstDepth + innerDepth;
        var value = 0.0;
        if (place < params.${side} && depth < params.k) { value = f32(${name}[params.${name}Offset + ${index}]); }
        ${name}Tile[innerDepth * ${pitch}u + innerPlace / 4u][innerPlace % 4u] = value;
      }
    }`;
}
