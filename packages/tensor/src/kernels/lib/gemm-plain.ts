import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import { depthRange, writeResult, type GemmSpec } from "./gemm.js";

/** Rows and columns of c that a workgroup of `plainGemm` has. */
export const plainTile = 32;

/** A thread has a 4 × 4 block of c in registers; no workgroup memory. What the others are compared with. */
export function plainGemm(spec: GemmSpec): string {
  return wgsl`
    ${writeResult(spec)}
    fn aIndex(row: u32, depth: u32) -> u32 { return params.aOffset + ${spec.transposeA ? "depth * params.m + row" : "row * params.k + depth"}; }
    fn bIndex(col: u32, depth: u32) -> u32 { return params.bOffset + ${spec.transposeB ? "col * params.k + depth" : "depth * params.n + col"}; }

    ${computeMain(spec)} {
      let tilesN = (params.n + 31u) / 32u;
      let tile = foldedIndex(group, groups);
      let row0 = tile / tilesN * 32u + lane / 8u * 4u;
      let col0 = tile % tilesN * 32u + lane % 8u * 4u;
      if (row0 >= params.m || col0 >= params.n) { return; }
      ${depthRange()}
      var acc: array<vec4<f32>, 4>;
      for (var depth = firstDepth; depth < endDepth; depth++) {
        var right: vec4<f32>;
        for (var j = 0u; j < 4u; j++) { right[j] = f32(b[bIndex(min(col0 + j, params.n - 1u), depth)]); }
        for (var i = 0u; i < 4u; i++) { acc[i] += f32(a[aIndex(min(row0 + i, params.m - 1u), depth)]) * right; }
      }
      for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
          if (row0 + i < params.m && col0 + j < params.n) { writeResult(row0 + i, col0 + j, group.z, acc[i][j]); }
        }
      }
    }`;
}
