import type { Capabilities } from "../../device/capabilities.js";
import { wgsl } from "../wgsl.js";
import { computeMain } from "./grid.js";
import { times, type GemmSpec } from "./gemm.js";
import { hasSubgroupMatrix, startMatrices, subgroupMatrices } from "./subgroup-matrix.js";

/** Rows and columns of c that a workgroup of 2 × 2 subgroups has. */
export function matrixTile({ subgroupTile }: { subgroupTile: number }): { rows: number; cols: number } {
  return { rows: 2 * subgroupTile, cols: 2 * subgroupTile };
}

/** True where and for what `subgroupMatrixGemm` runs: f16 operands whose rows can be read as vec4<u32>, a not transposed. */
export function matrixFits(capabilities: Capabilities, spec: GemmSpec): boolean {
  const takes = spec.aType === "f16" && spec.bType === "f16" && !spec.transposeA && !spec.hasAddend && spec.aligned;
  return takes && hasSubgroupMatrix(capabilities) && layout(spec).bytes <= capabilities.maxWorkgroupStorageBytes;
}

/**
 * For tensor cores: f16 operands, f32 sums. Four subgroups, each with `subgroupTile`² of c. Tiles of both operands, 16 deep, lie in workgroup memory
 * in two stages; their rows are an odd number of vec4s apart (no bank conflicts). Rounds of the loop are unrolled in pairs, because a stage chosen by
 * a variable offset would make registers spill:
 *
 *   round t:  barrier;  fragments of tile t + 1 from stage (t + 1) mod 2;  multiply those of tile t, and meanwhile
 *             put tile t + 2 from registers into stage t mod 2, which the barrier made free, and start loading tile t + 3.
 */
export function subgroupMatrixGemm(spec: GemmSpec): string {
  const { fragments, depthVectors, leftVectors, rightVectors, bandPitch, left, right } = layout(spec);
  const lanes = spec.workgroupSize;
  const perLane = { left: left.vectors / lanes, right: right.vectors / lanes };
  const put = (stage: number, operand: "left" | "right"): string => times(perLane[operand], (j) => `${operand}${stage}[${operand}Place${j}] = ${operand}Next${j};`);
  const fetch = (operand: "left" | "right", tile: string): string => times(perLane[operand], (j) => `${operand}Next${j} = ${operand}Fetch(${operand}Start${j}, ${operand}Depth${j}, ${tile});`);
  const take = (stage: number, keyword = ""): string => wgsl`
    ${times(fragments, (i) => `${keyword}leftPart${stage}_${i} = left${stage}Left(leftBase + ${16 * i * left.pitch}u, ${left.pitch}u);`)}
    ${times(fragments, (j) => `${keyword}rightPart${stage}_${j} = right${stage}${spec.transposeB ? "RightOfRows" : "Right"}(rightBase + ${j * right.fragmentStep}u, ${right.pitch}u);`)}`;
  const multiplyRow = (stage: number, i: number): string => times(fragments, (j) => `sum${i}_${j} = multiplyAdd(leftPart${stage}_${i}, rightPart${stage}_${j}, sum${i}_${j});`);
  const round = (stage: number): string => wgsl`
    workgroupBarrier();
    ${take(1 - stage)}
    ${multiplyRow(stage, 0)}
    ${put(stage, "left")}
    ${put(stage, "right")}
    ${multiplyRow(stage, 1)}
    ${fetch("left", `tile + ${stage + 3}u`)}
    ${fetch("right", `tile + ${stage + 3}u`)}
    ${times(fragments - 2, (i) => multiplyRow(stage, i + 2))}`;
  return wgsl`
    var<workgroup> left0: array<vec4<u32>, ${left.rows * left.pitch}>;
    var<workgroup> left1: array<vec4<u32>, ${left.rows * left.pitch}>;
    var<workgroup> right0: array<vec4<u32>, ${right.rows * right.pitch}>;
    var<workgroup> right1: array<vec4<u32>, ${right.rows * right.pitch}>;
    var<workgroup> bands: array<vec4<f32>, ${4 * 16 * bandPitch}>; // 16 rows of each subgroup's sums
    ${subgroupMatrices(spec.matrix, { halves: ["left0", "left1", "right0", "right1"], sums: ["bands"] })}

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
      let subgroupRow = subgroup / 2u * ${spec.subgroupTile}u;
      let subgroupCol = subgroup % 2u * ${spec.subgroupTile}u;
      let leftBase = subgroupRow * ${left.pitch}u;
      let rightBase = subgroupCol * ${right.pitch}u${spec.transposeB ? "" : ` / ${8 * right.pitch}u`};
      ${places("left", "m", "firstRow", depthVectors, lanes, perLane.left, left.pitch, leftVectors)}
      ${spec.transposeB ? places("right", "n", "firstCol", depthVectors, lanes, perLane.right, right.pitch, rightVectors) : depthPlaces(lanes, perLane.right, right.pitch, rightVectors)}
      ${times(fragments, (i) => times(fragments, (j) => `var sum${i}_${j}: Sum;`))}
      ${times(perLane.left, (j) => `var leftNext${j}: vec4<u32>;`)}
      ${times(perLane.right, (j) => `var rightNext${j}: vec4<u32>;`)}
      ${[0, 1].map((stage) => [fetch("left", `${stage}u`), fetch("right", `${stage}u`), put(stage, "left"), put(stage, "right")].join("\n")).join("\n")}
      ${fetch("left", "2u")}
      ${fetch("right", "2u")}
      workgroupBarrier();
      ${take(0, "var ")}
      ${take(1, "var ")}
      let tiles = (params.k + 15u) / 16u;
      for (var tile = 0u; tile < tiles; tile += 2u) {
        ${round(0)}
        ${round(1)}
      }
      let laneOfSubgroup = lane % 32u;
      ${times(
        fragments,
        (i) => wgsl`
          workgroupBarrier();
          ${times(fragments, (j) => `bandsStore(subgroup * ${16 * bandPitch}u + ${4 * j}u, ${bandPitch}u, sum${i}_${j});`)}
          workgroupBarrier();
          for (var i = laneOfSubgroup; i < ${16 * 2 * fragments}u; i += 32u) {
            let row = i / ${2 * fragments}u;
            let eight = i % ${2 * fragments}u;
            let place = subgroup * ${16 * bandPitch}u + row * ${bandPitch}u + 2u * eight;
            writeEight(firstRow + subgroupRow + ${16 * i}u + row, firstCol + subgroupCol + 8u * eight, bands[place], bands[place + 1u]);
          }`,
      )}
    }`;
}

/** Sizes in vec4s, eight f16 each. */
function layout({ subgroupTile, transposeB }: GemmSpec) {
  const side = 2 * subgroupTile;
  const rowsOfDepth = { side, rows: side, pitch: 3, vectors: side * 2, fragmentStep: 48 };
  const depthsOfCols = { side, rows: 16, pitch: side / 8 + 1, vectors: 2 * side, fragmentStep: 2 };
  const left = rowsOfDepth;
  const right = transposeB ? rowsOfDepth : depthsOfCols;
  const fragments = subgroupTile / 16;
  const bandPitch = subgroupTile / 4 + 1;
  const bytes = 16 * (2 * left.rows * left.pitch + 2 * right.rows * right.pitch + 64 * bandPitch);
  return { left, right, fragments, bandPitch, bytes, depthVectors: 2, leftVectors: "params.k / 8u", rightVectors: transposeB ? "params.k / 8u" : "params.n / 8u" };
}

/** Where a lane reads and stores vectors of an operand whose rows go along depth: two neighbouring vectors a row. */
function places(operand: string, size: string, first: string, depthVectors: number, lanes: number, count: number, pitch: number, rowVectors: string): string {
  const offset = operand === "left" ? "params.aOffset" : "params.bOffset";
  return times(
    count,
    (j) => wgsl`
      let ${operand}Row${j} = (lane + ${lanes * j}u) / ${depthVectors}u;
      let ${operand}Depth${j} = (lane + ${lanes * j}u) % ${depthVectors}u;
      let ${operand}Place${j} = ${operand}Row${j} * ${pitch}u + ${operand}Depth${j};
      let ${operand}Start${j} = ${offset} / 8u + min(${first} + ${operand}Row${j}, params.${size} - 1u) * (${rowVectors});`,
  );
}

/** The same for b of [k, n]: a whole row of the tile lies along n. */
function depthPlaces(lanes: number, count: number, pitch: number, rowVectors: string): string {
  return times(
    count,
    (j) => wgsl`
      let rightDepth${j} = (lane + ${lanes * j}u) / ${pitch - 1}u;
      let rightCol${j} = (lane + ${lanes * j}u) % ${pitch - 1}u;
      let rightPlace${j} = rightDepth${j} * ${pitch}u + rightCol${j};
      let rightStart${j} = params.bOffset / 8u + min(firstCol / 8u + rightCol${j}, ${rowVectors} - 1u);`,
  );
}

/** `fn ${operand}Fetch(start, depth, tile)`: a vector of a row; zeros past its end. */
function fetchRows(operand: string, binding: string, { evenDepth }: GemmSpec): string {
  return wgsl`
    fn ${operand}Fetch(start: u32, depth: u32, tile: u32) -> vec4<u32> {
      let place = 2u * tile + depth;
      let last = params.k / 8u - 1u;
      let value = ${binding}[start + min(place, last)];
      return ${evenDepth ? "value" : "select(vec4<u32>(), value, place <= last)"};
    }`;
}

function fetchDepths({ evenDepth }: GemmSpec): string {
  return wgsl`
    fn rightFetch(start: u32, depth: u32, tile: u32) -> vec4<u32> {
      let place = 16u * tile + depth;
      let value = b[start + min(place, params.k - 1u) * (params.n / 8u)];
      return ${evenDepth ? "value" : "select(vec4<u32>(), value, place < params.k)"};
    }`;
}

function packEight({ matrix }: GemmSpec): string {
  const half = matrix === "emulated" ? "vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw))" : "bitcast<vec2<u32>>(vec4<f16>(v))";
  return wgsl`
    fn packFour(v: vec4<f32>) -> vec2<u32> { return ${half}; }
    fn packEight(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> { return vec4<u32>(packFour(a), packFour(b)); }
    fn unpackFour(v: vec2<u32>) -> vec4<f32> { return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)); }`;
}

/** `fn writeEight(row, col, a, b)`: alpha, bias, accumulation and one rounding for eight neighbours of a row. */
function writeEight({ hasBias, accumulate, dtype }: GemmSpec): string {
  const add = dtype === "f16" ? ["unpackFour(c[place].xy)", "unpackFour(c[place].zw)"] : ["bitcast<vec4<f32>>(c[place])", "bitcast<vec4<f32>>(c[place + 1u])"];
  return wgsl`
    fn biasAt(col: u32) -> vec4<f32> { return vec4<f32>(bias[col], bias[col + 1u], bias[col + 2u], bias[col + 3u]); }
    fn writeEight(row: u32, col: u32, a: vec4<f32>, b: vec4<f32>) {
      if (row >= params.m || col >= params.n) { return; }
      let place = (params.cOffset + row * params.n + col) / ${dtype === "f16" ? 8 : 4}u;
      var first = params.alpha * a;
      var second = params.alpha * b;
      ${hasBias ? "first += biasAt(col);\nsecond += biasAt(col + 4u);" : ""}
      ${accumulate ? `first += ${add[0]!};\nsecond += ${add[1]!};` : ""}
      ${dtype === "f16" ? "c[place] = packEight(first, second);" : "c[place] = bitcast<vec4<u32>>(first);\nc[place + 1u] = bitcast<vec4<u32>>(second);"}
    }`;
}
