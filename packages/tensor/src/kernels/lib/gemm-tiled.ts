import { times } from "./unroll.js";
import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import { depthRange, writeResult, type GemmSpec, type TileShape } from "./gemm.js";

interface Tile {
  /** Rows and columns of c that a workgroup has. */
  rows: number;
  cols: number;
  /** Rows of c that a lane has; it has four columns. */
  rowsPerLane: 4 | 8;
  depth: number;
}

const tiles: Record<TileShape, Tile> = {
  square: { rows: 64, cols: 64, rowsPerLane: 8, depth: 16 },
  tall: { rows: 64, cols: 16, rowsPerLane: 4, depth: 32 },
  wide: { rows: 16, cols: 64, rowsPerLane: 4, depth: 32 },
};

/** The tile of a shape. */
export function tiledTile({ tileShape }: { tileShape: TileShape }): Tile {
  return tiles[tileShape];
}

/** Lanes that share a tile. */
export function tiledLanes(shape: TileShape): number {
  const { rows, cols, rowsPerLane } = tiles[shape];
  return (rows / rowsPerLane) * (cols / 4);
}

/**
 * For GPUs, any dtypes and transposes: tiles of both operands in workgroup memory as f32, one row per depth; a lane has 8 × 4 or 4 × 4 of c in
 * registers. With `vector`, storage is read and written four elements at a time.
 */
export function tiledGemm(spec: GemmSpec): string {
  const { rows, cols, rowsPerLane, depth } = tiledTile(spec);
  const lanes = tiledLanes(spec.tileShape);
  const upper = rowsPerLane / 4;
  return wgsl`
    ${spec.vector ? writeFour(spec) : writeFourSingly(spec)}
    ${loader({ name: "a", side: "m", size: rows, depth, lanes, depthOutermost: spec.transposeA, vector: spec.vector })}
    ${loader({ name: "b", side: "n", size: cols, depth, lanes, depthOutermost: !spec.transposeB, vector: spec.vector })}

    ${computeMain({ workgroupSize: lanes })} {
      let tilesN = (params.n + ${cols - 1}u) / ${cols}u;
      let tile = foldedIndex(group, groups);
      let firstRow = tile / tilesN * ${rows}u;
      let firstCol = tile % tilesN * ${cols}u;
      if (firstRow >= params.m) { return; }
      ${depthRange()}
      let laneRow = lane / ${cols / 4}u * ${upper}u; // in vec4s
      let laneCol = lane % ${cols / 4}u;
      ${times(rowsPerLane, (i) => `var sum${i} = vec4<f32>();`)}
      for (var tileDepth = firstDepth; tileDepth < endDepth; tileDepth += ${depth}u) {
        aLoad(firstRow, tileDepth, endDepth, lane);
        bLoad(firstCol, tileDepth, endDepth, lane);
        workgroupBarrier();
        for (var depth = 0u; depth < ${depth}u; depth++) {
          let right = bTile[depth * ${cols / 4 + 1}u + laneCol];
          ${times(upper, (u) => `let left${u} = aTile[depth * ${rows / 4 + 1}u + laneRow + ${u}u];`)}
          ${times(rowsPerLane, (i) => `sum${i} += left${i >> 2}[${i % 4}] * right;`)}
        }
        workgroupBarrier();
      }
      ${times(rowsPerLane, (i) => `writeFour(firstRow + 4u * laneRow + ${i}u, firstCol + 4u * laneCol, group.z, sum${i});`)}
    }`;
}

interface Loader {
  name: "a" | "b";
  side: "m" | "n";
  /** Places of the tile along `side`. */
  size: number;
  depth: number;
  lanes: number;
  /** The operand is stored as [depth, side], else as [side, depth]. */
  depthOutermost: boolean;
  vector: boolean;
}

/**
 * The tile of an operand, `${name}Tile`, rows of which are one more vec4 long than needed (fewer bank conflicts), and `fn ${name}Load`, which fills it,
 * with zeros past the edges. Neighbouring lanes read neighbouring elements.
 */
function loader({ name, side, size, depth, lanes, depthOutermost, vector }: Loader): string {
  const width = vector ? 4 : 1;
  const pitch = size / 4 + 1;
  const along = (depthOutermost ? size : depth) / width;
  const [place, level] = depthOutermost ? [`i % ${along}u * ${width}u`, `i / ${along}u`] : [`i / ${along}u`, `i % ${along}u * ${width}u`];
  const index = `params.${name}Offset + ${depthOutermost ? `depth * params.${side} + place` : "place * params.k + depth"}`;
  const store = (component: number): string =>
    `${name}Tile[(level + ${component}u) * ${pitch}u + innerPlace / 4u][innerPlace % 4u] = value[${component}];`;
  return wgsl`
    var<workgroup> ${name}Tile: array<vec4<f32>, ${depth * pitch}>;
    fn ${name}Load(first: u32, firstDepth: u32, endDepth: u32, lane: u32) {
      for (var i = lane; i < ${(size * depth) / width}u; i += ${lanes}u) {
        let innerPlace = ${place};
        let level = ${level};
        let place = first + innerPlace;
        let depth = firstDepth + level;
        var value = ${vector ? "vec4<f32>()" : "0.0"};
        if (place < params.${side} && depth < endDepth) { value = ${vector ? `vec4<f32>(${name}[(${index}) / 4u])` : `f32(${name}[${index}])`}; }
        ${storeValue()}
      }
    }`;

  function storeValue(): string {
    if (!vector) return `${name}Tile[level * ${pitch}u + innerPlace / 4u][innerPlace % 4u] = value;`;
    return depthOutermost ? `${name}Tile[level * ${pitch}u + innerPlace / 4u] = value;` : times(4, store);
  }
}

/** `fn writeFour(row, col, split, sums)`: four neighbours of a row at once. */
function writeFour({ hasBias, hasAddend, accumulate }: GemmSpec): string {
  return wgsl`
    fn writeFour(row: u32, col: u32, split: u32, sums: vec4<f32>) {
      if (row >= params.m || col >= params.n) { return; }
      let index = row * params.n + col;
      let place = (params.cOffset + split * params.m * params.n + index) / 4u;
      var value = params.alpha * sums;
      ${hasBias ? "value += vec4<f32>(bias[col], bias[col + 1u], bias[col + 2u], bias[col + 3u]);" : ""}
      ${hasAddend ? "value += addend[index / 4u];" : ""}
      ${accumulate ? "value += vec4<f32>(c[place]);" : ""}
      c[place] = vec4<Dtype>(value);
    }`;
}

function writeFourSingly(spec: GemmSpec): string {
  return wgsl`
    ${writeResult(spec)}
    fn writeFour(row: u32, col: u32, split: u32, sums: vec4<f32>) {
      if (row >= params.m) { return; }
      ${times(4, (j) => `if (col + ${j}u < params.n) { writeResult(row, col + ${j}u, split, sums[${j}]); }`)}
    }`;
}
