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
  /** b is brought into f16's range by the largest of `peaks`; else it holds weights of an adapter. */
  hasPeaks: boolean;

  matrix: MatrixMode;
  reduce: "subgroup" | "plain";
  /** Rows of c that a workgroup has. */
  groupRows: number;
  /** Depth of a tile: a subgroup has 16 of it. */
  tileDepth: number;
  workgroupSize: number;
};

/** Sizes of a stage, in vec4s of eight f16: a tile of a, then the high and the low parts of one of b. */
export interface SkinnyLayout {
  aPitch: number;
  bPitch: number;
  /** Where the parts of b begin. */
  high: number;
  low: number;
  vectors: number;
  /** What a lane carries of a tile. */
  aPerLane: number;
  bPerLane: number;
}

/** Sizes of a stage. */
export function skinnyLayout({ aOrder, bOrder, columnTiles, groupRows, tileDepth, workgroupSize }: SkinnySpec): SkinnyLayout {
  const columns = 16 * columnTiles;
  const [aLines, aLength] = aOrder === "rows" ? [groupRows, tileDepth] : [tileDepth, groupRows];
  const [bLines, bLength] = bOrder === "rows" ? [columns, tileDepth] : [tileDepth, columns];
  const [aPitch, bPitch] = [aLength / 8 + 1, bLength / 8 + 1];
  const high = aLines * aPitch;
  const low = high + bLines * bPitch;
  return {
    aPitch,
    bPitch,
    high,
    low,
    vectors: low + bLines * bPitch,
    aPerLane: (groupRows * tileDepth) / 8 / workgroupSize,
    bPerLane: (columns * tileDepth) / 8 / workgroupSize,
  };
}

/**
 * For each vec4 that a lane carries of a tile its place in a stage, and where it is read. Past the last row and the last depth a is what it was before,
 * and b is 0.
 */
export function skinnyCarried(spec: SkinnySpec): string {
  const { aPitch, bPitch, aPerLane, bPerLane } = skinnyLayout(spec);
  const { aOrder, bOrder, columnTiles, groupRows, tileDepth, workgroupSize: lanes } = spec;
  const aLength = (aOrder === "rows" ? tileDepth : groupRows) / 8;
  const bLength = bOrder === "rows" ? tileDepth / 8 : 2 * columnTiles;
  return wgsl`
    ${times(
      aPerLane,
      (j) => wgsl`
        let aLine${j} = (lane + ${lanes * j}u) / ${aLength}u;
        let aEight${j} = (lane + ${lanes * j}u) % ${aLength}u;
        let aPlace${j} = aLine${j} * ${aPitch}u + aEight${j};
        var aNext0_${j}: vec4<u32>;
        var aNext1_${j}: vec4<u32>;`,
    )}
    ${times(
      bPerLane,
      (j) => wgsl`
        let bLine${j} = (lane + ${lanes * j}u) / ${bLength}u;
        let bEight${j} = (lane + ${lanes * j}u) % ${bLength}u;
        let bPlace${j} = bLine${j} * ${bPitch}u + bEight${j};
        var bNext0_${j}: mat2x4<f32>;
        var bNext1_${j}: mat2x4<f32>;
        var bIsThere0_${j}: bool;
        var bIsThere1_${j}: bool;`,
    )}`;
}

/**
 * `fn eightOfA(line, eight, firstRow, depth) -> vec4<u32>`, `fn eightOfB(line, eight, depth) -> mat2x4<f32>` of the tile that begins at `depth`, and
 * `fn isThere(line, eight, depth, end) -> bool`, whether the latter is of b.
 */
export function skinnyFetches({ aOrder, bOrder }: SkinnySpec): string {
  const a =
    aOrder === "rows"
      ? "a[min(firstRow + line, params.m - 1u) * (params.k / 8u) + min(depth / 8u + eight, params.k / 8u - 1u)]"
      : "a[min(depth + line, params.k - 1u) * (params.m / 8u) + min(firstRow / 8u + eight, params.m / 8u - 1u)]";
  const [place, isThere] =
    bOrder === "rows"
      ? [
          "(min(line, params.n - 1u) * params.k + min(depth + 8u * eight, params.k - 8u)) / 4u",
          "line < params.n && depth + 8u * eight < end",
        ]
      : [
          "(min(depth + line, params.k - 1u) * params.n + min(8u * eight, params.n - 8u)) / 4u",
          "8u * eight < params.n && depth + line < end",
        ];
  return wgsl`
    fn eightOfA(line: u32, eight: u32, firstRow: u32, depth: u32) -> vec4<u32> { return ${a}; }
    fn isThere(line: u32, eight: u32, depth: u32, end: u32) -> bool { return ${isThere}; }
    fn eightOfB(line: u32, eight: u32, depth: u32) -> mat2x4<f32> {
      let place = ${place};
      return mat2x4<f32>(b[place], b[place + 1u]);
    }`;
}
