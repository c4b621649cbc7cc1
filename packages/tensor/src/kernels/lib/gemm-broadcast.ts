import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import { depthRange, times, writeResult, type GemmSpec } from "./gemm.js";

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
  const a = (start: string, depth: string): string => `f32(a[${start} + ${spec.transposeA ? `${depth} * params.m` : depth}])`;
  const b = (start: string, depth: string): string => `f32(b[${start} + ${spec.transposeB ? depth : `${depth} * params.n`}])`;
  const multiplyRow = (i: number): string => times(4, (j) => `sum${i}_${j} += left * right${j};`);
  // Lanes differ in depth where a row of a is contiguous in depth, and in row where a is transposed.
  const load = spec.transposeA
    ? times(4, (d) => times(rows / 4, (i) => `let left${d}_${i} = ${a(`aLaneStart${i}`, `(depth + ${d}u)`)};`))
    : times(rows, (i) => `let left${i} = ${a(`aStart${i}`, "(depth + l)")};`);
  const broadcast = (i: number, d: number): string =>
    spec.transposeA ? `subgroupBroadcast(left${d}_${i >> 2}, ${i & 3}u)` : `subgroupBroadcast(left${i}, ${d}u)`;
  const step = (d: number): string => wgsl`
    {
      ${times(4, (j) => `let right${j} = ${b(`bStart${j}`, `(depth + ${d}u)`)};`)}
      ${times(rows, (i) => `{ let left = ${broadcast(i, d)}; ${multiplyRow(i)} }`)}
    }`;
  return wgsl`
    ${writeResult(spec)}

    ${computeMain(spec)} {
      let blocksN = (params.n + ${cols - 1}u) / ${cols}u;
      let block = foldedIndex(group, groups) * ${blocksPerGroup}u + lane / 4u;
      let l = lane % 4u;
      let firstRow = block / blocksN * ${rows}u;
      let firstCol = block % blocksN * ${cols}u + l;
      if (firstRow >= params.m) { return; }
      ${times(rows, (i) => `let row${i} = min(firstRow + ${i}u, params.m - 1u);`)}
      ${times(4, (j) => `let col${j} = min(firstCol + ${4 * j}u, params.n - 1u);`)}
      ${times(rows, (i) => `let aStart${i} = params.aOffset + row${i}${spec.transposeA ? "" : " * params.k"};`)}
      ${spec.transposeA ? times(rows / 4, (i) => `let aLaneStart${i} = params.aOffset + min(firstRow + ${4 * i}u + l, params.m - 1u);`) : ""}
      ${times(4, (j) => `let bStart${j} = params.bOffset + col${j}${spec.transposeB ? " * params.k" : ""};`)}
      ${times(rows, (i) => times(4, (j) => `var sum${i}_${j} = 0.0;`))}
      ${depthRange()}
      var depth = firstDepth;
      for (; depth + 4u <= endDepth; depth += 4u) {
        ${load}
        ${times(4, step)}
      }
      for (; depth < endDepth; depth++) {
        ${times(4, (j) => `let right${j} = ${b(`bStart${j}`, "depth")};`)}
        ${times(rows, (i) => `{ let left = ${a(`aStart${i}`, "depth")}; ${multiplyRow(i)} }`)}
      }
      ${times(rows, (i) => `if (firstRow + ${i}u < params.m) { ${times(4, (j) => `if (firstCol + ${4 * j}u < params.n) { writeResult(row${i}, col${j}, group.z, sum${i}_${j}); }`)} }`)}
    }`;
}
