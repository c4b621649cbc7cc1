import { unroll } from "./unroll.js";
import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import { depthRange, writeResult, type GemmSpec } from "./gemm.js";

/** Columns of c that each lane of a subgroup of 4 has. */
const lanesPerBlock = 4;

/** Rows and columns of c that one subgroup has. */
export function broadcastBlock({ short }: { short: boolean }): { rows: number; cols: number } {
  return { rows: short ? 4 : 16, cols: 4 * lanesPerBlock };
}

/**
 * For software adapters, whose subgroups are 4 SIMD lanes: no workgroup memory, no barriers, and few loads, since there every load is four scalar
 * ones. A subgroup has 16 × 16 elements of c, lane l the columns 4j + l. Four lanes load four elements of a, which are then broadcast one by one.
 * Everything is unrolled into named scalars, because an array would live in memory.
 *
 * SwiftShader, 300 × 512 × 128 on one busy core: 2.4 GFLOP/s; 16 × 16 without the broadcast 1.8; a vec4 block of 4 × 4 0.25.
 */
export function broadcastGemm(spec: GemmSpec): string {
  const { rows, cols } = broadcastBlock(spec);
  const blocksPerGroup = spec.workgroupSize / lanesPerBlock;
  const [aAt, bAt] = [spec.transposeA ? "@depth * params.m" : "@depth", spec.transposeB ? "@depth" : "@depth * params.n"];
  /** An element of an operand, from where its row or column starts. */
  const left = (start: string, depth: string): string => `f32(a[${start} + ${aAt.replace("@depth", depth)}])`;
  const right = (start: string, depth: string): string => `f32(b[${start} + ${bAt.replace("@depth", depth)}])`;
  // Lanes differ in depth where a row of a is contiguous in depth, and in row where a is transposed.
  const loadLeft = spec.transposeA
    ? unroll(4, unroll(rows / 4, `let left@d_@i = ${left("aLaneStart@i", "(depth + @du)")};`), "@d")
    : unroll(rows, `let left@i = ${left("aStart@i", "(depth + l)")};`);
  const broadcast = spec.transposeA ? "subgroupBroadcast(left@d_@quarter, @laneu)" : "subgroupBroadcast(left@i, @du)";
  const multiplyRow = unroll(4, "sum@i_@j += left * right@j;", "@j");
  const rowPlaces = { "@quarter": (i: number) => String(i >> 2), "@lane": (i: number) => String(i & 3) };
  const colPlace = { "@col": (j: number) => `${4 * j}u` };
  const step = wgsl`
    {
      ${unroll(4, `let right@j = ${right("bStart@j", "(depth + @du)")};`, "@j")}
      ${unroll(rows, `{ let left = ${broadcast}; ${multiplyRow} }`, "@i", rowPlaces)}
    }`;
  const writeRow = unroll(4, "if (firstCol + @col < params.n) { writeResult(row@i, col@j, group.z, sum@i_@j); }", "@j", colPlace);
  return wgsl`
    ${writeResult(spec)}

    ${computeMain(spec)} {
      let blocksN = (params.n + ${cols - 1}u) / ${cols}u;
      let block = foldedIndex(group, groups) * ${blocksPerGroup}u + lane / 4u;
      let l = lane % 4u;
      let firstRow = block / blocksN * ${rows}u;
      let firstCol = block % blocksN * ${cols}u + l;
      if (firstRow >= params.m) { return; }
      ${unroll(rows, "let row@i = min(firstRow + @iu, params.m - 1u);")}
      ${unroll(4, "let col@j = min(firstCol + @col, params.n - 1u);", "@j", colPlace)}
      ${unroll(rows, `let aStart@i = params.aOffset + row@i${spec.transposeA ? "" : " * params.k"};`)}
      ${spec.transposeA ? unroll(rows / 4, "let aLaneStart@i = params.aOffset + min(firstRow + @first + l, params.m - 1u);", "@i", { "@first": (i) => `${4 * i}u` }) : ""}
      ${unroll(4, `let bStart@j = params.bOffset + col@j${spec.transposeB ? " * params.k" : ""};`, "@j")}
      ${unroll(rows, unroll(4, "var sum@i_@j = 0.0;", "@j"))}
      ${depthRange()}
      var depth = firstDepth;
      for (; depth + 4u <= endDepth; depth += 4u) {
        ${loadLeft}
        ${unroll(4, step, "@d")}
      }
      for (; depth < endDepth; depth++) {
        ${unroll(4, `let right@j = ${right("bStart@j", "depth")};`, "@j")}
        ${unroll(rows, `{ let left = ${left("aStart@i", "depth")}; ${multiplyRow} }`)}
      }
      ${unroll(rows, `if (firstRow + @iu < params.m) { ${writeRow} }`)}
    }`;
}
