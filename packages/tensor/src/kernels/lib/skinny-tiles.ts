import { wgsl } from "../wgsl.js";
import type { MatrixMode } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/** What a skinny product is specialised on. */
export type SkinnySpec = {
  /** How a lies: `rows` [m, k], `columns` [k, m]. */
  aOrder: "rows" | "columns";
  /** How b lies: `rows` [n, k], `columns` [k, n]. */
  bOrder: "rows" | "columns";
  /** 16 columns each. */
  columnTiles: number;
  /** Matrices that b is made of, 1 to 3 with as many columns each: in `rows` bindings of their own. */
  factors: number;
  /** b is brought into f16's range by the largest of `peaks`, each factor by its own; else it holds weights of an adapter. */
  hasPeaks: boolean;

  matrix: MatrixMode;
  reduce: "subgroup" | "plain";
  workgroupSize: number;
  /** Of 16 rows of c each, in a block. */
  rowTiles: number;
  /** Of 16 of the depth each, that a subgroup has. */
  steps: number;
};

/** A block: rows of c that a workgroup has at a time, and the part of the depth that it has for all of them. */
export function skinnyBlock({ workgroupSize, rowTiles, steps }: Pick<SkinnySpec, "workgroupSize" | "rowTiles" | "steps">): {
  subgroups: number;
  rows: number;
  depth: number;
} {
  const subgroups = workgroupSize / 32;
  return { subgroups, rows: 16 * rowTiles, depth: 16 * steps * subgroups };
}

/** Where a block of a lies in workgroup memory, in vec4s of eight f16. */
export interface SkinnyLayout {
  /** A line is a row of a in `rows`, a depth in `columns`. */
  lineLength: number;
  /** From a line to the next: an odd number, so that no bank is met twice. */
  pitch: number;
  vectors: number;
  /** What a lane carries of a block. */
  perLane: number;
  /** Fragments of 16 × 16 sums that subgroups add up at a time, in what is left of 45,056 bytes. */
  sumsAtOnce: number;
}

/** Sizes of a block in workgroup memory. */
export function skinnyLayout(spec: SkinnySpec): SkinnyLayout {
  const { subgroups, rows, depth } = skinnyBlock(spec);
  const [lines, length] = spec.aOrder === "rows" ? [rows, depth] : [depth, rows];
  const lineLength = length / 8;
  const pitch = lineLength + 1;
  const vectors = Math.max(lines * pitch, numPartVectors(subgroups));
  const room = Math.floor((45_056 - 16 * vectors) / (1024 * subgroups));
  return {
    lineLength,
    pitch,
    vectors,
    perLane: (lines * lineLength) / spec.workgroupSize,
    sumsAtOnce: Math.max(1, Math.min(room, spec.rowTiles * spec.columnTiles)),
  };
}

/** Between lines of a part of b, 16 lines of two vec4s for each subgroup. */
export const partPitch = 3;

/** Both parts of b that subgroups have of a step and 16 columns. */
function numPartVectors(subgroups: number): number {
  return 2 * 16 * partPitch * subgroups;
}

/** For each vec4 that a lane carries of a block its place in workgroup memory, and what of its address does not depend on the block. Past the last depth is the last one again. */
export function skinnyCarried(spec: SkinnySpec): string {
  const { lineLength, pitch, perLane } = skinnyLayout(spec);
  return times(
    perLane,
    (j) => wgsl`
      let line${j} = (lane + ${spec.workgroupSize * j}u) / ${lineLength}u;
      let eight${j} = (lane + ${spec.workgroupSize * j}u) % ${lineLength}u;
      let place${j} = line${j} * ${pitch}u + eight${j};
      ${
        spec.aOrder === "rows"
          ? `let along${j} = min(start / 8u + eight${j}, params.k / 8u - 1u);`
          : `let along${j} = min(start + line${j}, params.k - 1u) * (params.m / 8u);`
      }
      var next${j}: vec4<u32>;`,
  );
}

/** Reads what a lane carries of a block that begins at a row. Past the last row is the last one again. */
export function skinnyFetches(spec: SkinnySpec, firstRow: string): string {
  return times(skinnyLayout(spec).perLane, (j) =>
    spec.aOrder === "rows"
      ? `next${j} = a[min(${firstRow} + line${j}, params.m - 1u) * (params.k / 8u) + along${j}];`
      : `next${j} = a[along${j} + min(${firstRow} / 8u + eight${j}, params.m / 8u - 1u)];`,
  );
}

/** The factor that a tile of 16 columns is of. */
export function factorOf({ columnTiles, factors }: Pick<SkinnySpec, "columnTiles" | "factors">, tile: number): number {
  return Math.floor((tile * factors) / columnTiles);
}

/**
 * What a lane has of a subgroup's part of b, 16 of the depth and the 16 columns of a tile, as an expression of type mat2x4<f32>: eight along the line that b is in order of. Zeros past the last
 * depth and column. Needs `eightsOfB`.
 */
export function eightOfB(spec: SkinnySpec, step: number, tile: number): string {
  const factor = spec.bOrder === "rows" ? factorOf(spec, tile) : 0;
  const first = 16 * (tile - (factor * spec.columnTiles) / spec.factors);
  return `eightOf${factor}(${first}u, start + (subgroup * ${spec.steps}u + ${step}u) * 16u, lane / 2u % 16u, lane % 2u)`;
}

/** Functions of `eightOfB`. */
export function eightsOfB({ bOrder, factors }: SkinnySpec): string {
  const inRows = bOrder === "rows";
  return times(inRows ? factors : 1, (factor) => {
    const name = factorNames[factor]!;
    return wgsl`
      fn eightOf${factor}(firstColumn: u32, firstDepth: u32, line: u32, half: u32) -> mat2x4<f32> {
        let column = firstColumn + ${inRows ? "line" : "8u * half"};
        let depth = firstDepth + ${inRows ? "8u * half" : "line"};
        let n = params.n${inRows && factors > 1 ? ` / ${factors}u` : ""};
        let place = (${
          inRows
            ? "min(column, n - 1u) * params.k + min(depth, params.k - 8u)"
            : "min(depth, params.k - 1u) * params.bPitch + params.bFirst + min(column, n - 8u)"
        }) / 4u;
        return select(0.0, 1.0, column < n && depth < params.k) * mat2x4<f32>(${name}[place], ${name}[place + 1u]);
      }`;
  });
}

/** Bindings of what b is made of. */
export const factorNames = ["b", "b1", "b2"] as const;
