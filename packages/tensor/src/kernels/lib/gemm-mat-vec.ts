import { wgsl } from "../wgsl.js";
import { depthRange, writeResult, type GemmSpec } from "./gemm.js";
import { computeMain } from "./grid.js";
import { unroll } from "./unroll.js";

/** Lanes of a subgroup, which share a part of the depth. */
const width = 32;

/** Columns of c that a subgroup has: as many loads of b under way at once. */
const columns = 4;

/** Rows and columns of c that a workgroup has. */
export function matVecTile({ matVecRows, depthWays, workgroupSize }: GemmSpec): { rows: number; cols: number } {
  return { rows: matVecRows, cols: (workgroupSize / width / depthWays) * columns };
}

/**
 * Subgroups that share the depth of a column: enough that all of b is on its way at once, each with two steps of the depth at least. Depends on the shape of b
 * alone, so that a row's sums are the same whatever rows are beside it.
 */
export function depthWaysOf(n: number, k: number): number {
  let ways = 1;
  while (ways < 8 && Math.ceil(n / columns) * ways < 1024 && k >= 4 * 8 * width * ways) ways *= 2;
  return ways;
}

/**
 * For a few rows times a weight as it is stored, [n, k] in f16: b is read once and fast, since nothing else counts. A subgroup has four columns of c, its lanes
 * eight elements of the depth each in turn; rows of a come from the cache. f32 throughout.
 */
export function matVecGemm(spec: GemmSpec): string {
  const { matVecRows: rows, depthWays, workgroupSize } = spec;
  const perGroup = workgroupSize / width / depthWays;
  const eight = (name: string, value: string): string => wgsl`
    let ${name}Bits = ${value};
    ${unroll(4, `let ${name}_@i = unpack2x16float(${name}Bits[@i]);`)}`;
  const multiply = unroll(rows, unroll(columns, unroll(4, "sum@r_@c += dot(x@r_@i, w@c_@i);"), "@c"), "@r");
  const places = { "@row": (i: number) => String(Math.floor(i / columns)), "@col": (i: number) => String(i % columns) };
  return wgsl`
    ${writeResult(spec)}
    var<workgroup> shares: array<f32, ${perGroup * depthWays * rows * columns}>;

    ${computeMain(spec)} {
      let blocks = (params.m + ${rows - 1}u) / ${rows}u; // of rows, neighbours, so that b comes from the cache for all but the first
      let tile = foldedIndex(group, groups);
      let firstRow = tile % blocks * ${rows}u;
      let subgroup = lane / ${width}u;
      let l = lane % ${width}u;
      let way = subgroup % ${depthWays}u;
      let firstCol = (tile / blocks * ${perGroup}u + subgroup / ${depthWays}u) * ${columns}u;
      ${depthRange()}
      ${unroll(rows, "let aStart@i = (params.aOffset + min(firstRow + @iu, params.m - 1u) * params.k) / 8u;")}
      ${unroll(columns, "let bStart@i = (params.bOffset + min(firstCol + @iu, params.n - 1u) * params.k) / 8u;")}
      ${unroll(rows, unroll(columns, "var sum@r_@c = 0.0;", "@c"), "@r")}
      for (var at = firstDepth / 8u + way * ${width}u + l; at < endDepth / 8u; at += ${width * depthWays}u) {
        ${unroll(columns, eight("w@c", "b[bStart@c + at]"), "@c")}
        ${unroll(rows, eight("x@r", "a[aStart@r + at]"), "@r")}
        ${multiply}
      }
      ${unroll(rows, unroll(columns, "let all@r_@c = subgroupAdd(sum@r_@c);", "@c"), "@r")}
      let share = subgroup * ${rows * columns}u;
      if (l == 0u) {
        ${unroll(rows * columns, "shares[share + @iu] = all@row_@col;", "@i", places)}
      }
      workgroupBarrier();
      if (way != 0u || l >= ${rows * columns}u) { return; }
      var total = 0.0;
      for (var other = 0u; other < ${depthWays}u; other++) { total += shares[share + other * ${rows * columns}u + l]; }
      let row = firstRow + l / ${columns}u;
      let col = firstCol + l % ${columns}u;
      if (row < params.m && col < params.n) { writeResult(row, col, group.z, total); }
    }`;
}
