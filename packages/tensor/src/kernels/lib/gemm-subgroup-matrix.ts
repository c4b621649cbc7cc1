import type { Capabilities } from "../../device/capabilities.js";
import { times } from "./unroll.js";
import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import type { GemmSpec } from "./gemm.js";
import { packEight, writeEight } from "./gemm-eights.js";
import { hasSubgroupMatrix, matrixCalls, startMatrices, subgroupMatrices } from "./subgroup-matrix.js";

/** Rows and columns of c that a workgroup has. */
export function matrixTile({ subgroupRows, subgroupCols, subgroupsDown, subgroupsAcross }: GemmSpec): { rows: number; cols: number } {
  return { rows: subgroupRows * subgroupsDown, cols: subgroupCols * subgroupsAcross };
}

/** True where and for what `subgroupMatrixGemm` runs: f16 operands whose rows can be read as vec4<u32>, a not transposed. */
export function matrixFits(capabilities: Capabilities, spec: GemmSpec): boolean {
  const takes = spec.aType === "f16" && spec.bType === "f16" && !spec.transposeA && spec.aligned;
  return takes && hasSubgroupMatrix(capabilities) && layout(spec).bytes <= capabilities.maxWorkgroupStorageBytes;
}

/**
 * For tensor cores: f16 operands, f32 sums. Each subgroup has `subgroupRows` × `subgroupCols` of c. Tiles of both operands, `tileDepth` deep, lie in
 * workgroup memory, their rows an odd number of vec4s apart (no bank conflicts). While a tile is multiplied, the next is on its way into registers.
 */
export function subgroupMatrixGemm(spec: GemmSpec): string {
  const { down, across, bandPitch, bandFragments, left, right } = layout(spec);
  const lanes = spec.workgroupSize;
  const calls = matrixCalls(spec.matrix);
  const loadRight = spec.transposeB ? calls.rightOfRows : calls.right;
  const perLane = { left: left.vectors / lanes, right: right.vectors / lanes };
  const both = (text: (operand: "left" | "right", j: number) => string): string =>
    [...(["left", "right"] as const)].map((operand) => times(perLane[operand], (j) => text(operand, j))).join("\n");
  const put = both((operand, j) => `${operand}[${operand}Place${j}] = ${operand}Next${j};`);
  const fetch = (tile: string): string =>
    both((operand, j) => `${operand}Next${j} = ${operand}Fetch(${operand}Start${j}, ${operand}Depth${j}, ${tile});`);
  const step = (depth: number): string => wgsl`
    {
      ${times(down, (i) => `let leftPart${i} = ${calls.left("left", `leftBase + ${16 * i * left.pitch + 2 * depth}u`, `${left.pitch}u`)};`)}
      ${times(across, (j) => `let rightPart${j} = ${loadRight("right", `rightBase + ${j * right.fragmentStep + depth * right.depthStep}u`, `${right.pitch}u`)};`)}
      ${times(down, (i) => times(across, (j) => `sum${i}_${j} = ${calls.multiplyAdd(`leftPart${i}`, `rightPart${j}`, `sum${i}_${j}`)};`))}
    }`;
  const numSubgroups = spec.subgroupsDown * spec.subgroupsAcross;
  return wgsl`
    var<workgroup> left: array<vec4<u32>, ${left.rows * left.pitch}>;
    var<workgroup> right: array<vec4<u32>, ${right.rows * right.pitch}>;
    var<workgroup> bands: array<vec4<f32>, ${numSubgroups * 16 * bandPitch}>; // 16 rows of each subgroup's sums
    ${subgroupMatrices(spec.matrix, { halves: ["left", "right"], sums: ["bands"] })}

    ${fetchRows("left", "a", spec)}
    ${spec.transposeB ? fetchRows("right", "b", spec) : fetchDepths(spec)}
    ${packEight(spec)}
    ${writeEight(spec)}

    ${computeMain(spec)} {
      ${startMatrices(spec.matrix)}
      let tilesN = (params.n + ${right.side - 1}u) / ${right.side}u;
      let index = foldedIndex(group, groups);
      let firstRow = index / tilesN * ${left.side}u;
      let firstCol = index % tilesN * ${right.side}u;
      if (firstRow >= params.m) { return; }
      let subgroup = lane / 32u;
      let subgroupRow = subgroup / ${spec.subgroupsAcross}u * ${spec.subgroupRows}u;
      let subgroupCol = subgroup % ${spec.subgroupsAcross}u * ${spec.subgroupCols}u;
      let leftBase = subgroupRow * ${left.pitch}u;
      let rightBase = ${spec.transposeB ? `subgroupCol * ${right.pitch}u` : "subgroupCol / 8u"};
      ${places("left", "m", "firstRow", lanes, perLane.left, spec)}
      ${spec.transposeB ? places("right", "n", "firstCol", lanes, perLane.right, spec) : depthPlaces(lanes, perLane.right, right.pitch)}
      ${times(down, (i) => times(across, (j) => `var sum${i}_${j}: Sum;`))}
      ${both((operand, j) => `var ${operand}Next${j}: vec4<u32>;`)}
      let firstTile = group.z * (params.depthPerSplit / ${spec.tileDepth}u);
      let endDepth = min(group.z * params.depthPerSplit + params.depthPerSplit, params.k);
      let endTile = (endDepth + ${spec.tileDepth - 1}u) / ${spec.tileDepth}u;
      ${fetch("firstTile")}
      for (var tile = firstTile; tile < endTile; tile++) {
        workgroupBarrier();
        ${put}
        workgroupBarrier();
        ${fetch("tile + 1u")}
        ${times(spec.tileDepth / 16, step)}
      }
      let laneOfSubgroup = lane % 32u;
      ${times(down, (i) =>
        times(
          across / bandFragments,
          (part) => wgsl`
            workgroupBarrier();
            ${times(bandFragments, (j) => calls.store("bands", `subgroup * ${16 * bandPitch}u + ${4 * j}u`, `${bandPitch}u`, `sum${i}_${part * bandFragments + j}`))}
            workgroupBarrier();
            for (var i = laneOfSubgroup; i < ${32 * bandFragments}u; i += 32u) {
              let row = i / ${2 * bandFragments}u;
              let eight = i % ${2 * bandFragments}u;
              let place = subgroup * ${16 * bandPitch}u + row * ${bandPitch}u + 2u * eight;
              writeEight(firstRow + subgroupRow + ${16 * i}u + row, firstCol + subgroupCol + ${16 * part * bandFragments}u + 8u * eight, group.z, bands[place], bands[place + 1u]);
            }`,
        ),
      )}
    }`;
}

/** Sizes in vec4s, eight f16 each. */
function layout(spec: GemmSpec) {
  const { rows, cols } = matrixTile(spec);
  const depthVectors = spec.tileDepth / 8;
  const rowsOfDepth = (side: number) => ({
    side,
    rows: side,
    pitch: depthVectors + 1,
    vectors: side * depthVectors,
    fragmentStep: 16 * (depthVectors + 1),
    depthStep: 2,
  });
  const depthsOfCols = (side: number) => ({
    side,
    rows: spec.tileDepth,
    pitch: side / 8 + 1,
    vectors: (spec.tileDepth * side) / 8,
    fragmentStep: 2,
    depthStep: 16 * (side / 8 + 1),
  });
  const left = rowsOfDepth(rows);
  const right = spec.transposeB ? rowsOfDepth(cols) : depthsOfCols(cols);
  const across = spec.subgroupCols / 16;
  const operandVectors = left.rows * left.pitch + right.rows * right.pitch;
  const bandVectors = (fragments: number): number => spec.subgroupsDown * spec.subgroupsAcross * 16 * (4 * fragments + 1);
  const bandFragments = [across, 2, 1].find((fragments) => 16 * (operandVectors + bandVectors(fragments)) <= 49_152) ?? 1;
  return {
    left,
    right,
    down: spec.subgroupRows / 16,
    across,
    bandFragments,
    bandPitch: 4 * bandFragments + 1,
    bytes: 16 * (operandVectors + bandVectors(bandFragments)),
  };
}

/** Where a lane reads and stores vectors of an operand whose rows go along depth. */
function places(operand: string, size: string, first: string, lanes: number, count: number, { tileDepth }: GemmSpec): string {
  const offset = operand === "left" ? "params.aOffset" : "params.bOffset";
  return times(
    count,
    (j) => wgsl`
      let ${operand}Row${j} = (lane + ${lanes * j}u) / ${tileDepth / 8}u;
      let ${operand}Depth${j} = (lane + ${lanes * j}u) % ${tileDepth / 8}u;
      let ${operand}Place${j} = ${operand}Row${j} * ${tileDepth / 8 + 1}u + ${operand}Depth${j};
      let ${operand}Start${j} = ${offset} / 8u + min(${first} + ${operand}Row${j}, params.${size} - 1u) * (params.k / 8u);`,
  );
}

/** The same for b of [k, n]: a whole row of the tile lies along n. */
function depthPlaces(lanes: number, count: number, pitch: number): string {
  return times(
    count,
    (j) => wgsl`
      let rightDepth${j} = (lane + ${lanes * j}u) / ${pitch - 1}u;
      let rightCol${j} = (lane + ${lanes * j}u) % ${pitch - 1}u;
      let rightPlace${j} = rightDepth${j} * ${pitch}u + rightCol${j};
      let rightStart${j} = params.bOffset / 8u + min(firstCol / 8u + rightCol${j}, params.n / 8u - 1u);`,
  );
}

/** `fn ${operand}Fetch(start, depth, tile)`: a vector of a row; zeros past its end. */
function fetchRows(operand: string, binding: string, { evenDepth, tileDepth }: GemmSpec): string {
  const body = evenDepth
    ? `return ${binding}[start + ${tileDepth / 8}u * min(tile, params.k / ${tileDepth}u - 1u) + depth];`
    : wgsl`
        let place = ${tileDepth / 8}u * tile + depth;
        let last = params.k / 8u - 1u;
        return select(vec4<u32>(), ${binding}[start + min(place, last)], place <= last);`;
  return wgsl`
    fn ${operand}Fetch(start: u32, depth: u32, tile: u32) -> vec4<u32> {
      ${body}
    }`;
}

function fetchDepths({ evenDepth, tileDepth }: GemmSpec): string {
  const body = evenDepth
    ? `return b[start + (${tileDepth}u * min(tile, params.k / ${tileDepth}u - 1u) + depth) * (params.n / 8u)];`
    : wgsl`
        let place = ${tileDepth}u * tile + depth;
        return select(vec4<u32>(), b[start + min(place, params.k - 1u) * (params.n / 8u)], place < params.k);`;
  return wgsl`
    fn rightFetch(start: u32, depth: u32, tile: u32) -> vec4<u32> {
      ${body}
    }`;
}
