import type { Capabilities } from "../../device/capabilities.js";
import type { Variant } from "../define-kernel.js";
import { oneGroupPer } from "./grid.js";
import { hasSubgroupMatrix, matrixCalls, startMatrices, subgroupMatrices, type MatrixMode } from "./subgroup-matrix.js";
import { times } from "./unroll.js";
import { wgsl } from "../wgsl.js";

/**
 * What the attention kernels on matrix units have in common. A workgroup owns ROWS rows of a head (queries, or keys for their gradients), a quarter
 * of its size, and goes along the other side in tiles of 32 rows. Two subgroups share 16 rows: subgroup (rowTile, half) computes their scores with
 * 16 rows of the other side, and their results in one half of the features. For all that is done element by element, four lanes share a row.
 */
export interface AttentionMatrixSpec {
  [field: string]: string | number | boolean;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  matrix: MatrixMode;
  workgroupSize: number;
}

/** The heads that a kernel is specialised on. */
export interface HeadShape {
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
}

/** Workgroup memory: 64 rows of features, and per stage ROWS rows of 32 scores in f32 and in f16. */
function matrixBytes({ headDim, workgroupSize }: AttentionMatrixSpec, stages: 1 | 2): number {
  return 16 * (64 * (headDim / 8 + 1) + stages * (workgroupSize / 4) * (scorePitch + weightPitch)) + 768;
}

/** Workgroups for `numTokens` rows in each head. */
export function matrixGrid(numTokens: number, { numHeads, workgroupSize }: AttentionMatrixSpec): readonly [number, number, number] {
  return oneGroupPer(Math.ceil(numTokens / (workgroupSize / 4)) * numHeads);
}

/** On matrix units with workgroups of this size, or emulated for tests. */
export function matrixVariants<S extends AttentionMatrixSpec>(stages: 1 | 2, workgroupSize: 128 | 256): Variant<S>[] {
  const when = (capabilities: Capabilities, spec: S): boolean =>
    hasSubgroupMatrix(capabilities) && isMatrixHeadDim(spec.headDim) && matrixBytes(spec, stages) <= capabilities.maxWorkgroupStorageBytes;
  return [
    { name: "subgroupMatrix", when, spec: { matrix: "subgroup", workgroupSize } as Partial<S> },
    { name: "emulated", when: () => false, spec: { matrix: "emulated", workgroupSize: 128 } as Partial<S> },
  ];
}

/** True for the sizes of heads that the tiles divide into, and that fit into workgroup memory. */
export function isMatrixHeadDim(headDim: number): boolean {
  return headDim % 32 === 0 && headDim <= 128;
}

/** vec4s in a row of scores and of weights: odd, so that neighbouring rows lie in different banks. */
const scorePitch = 9;
const weightPitch = 5;

/** One line for each 16 features of a head. */
export function perStep({ headDim }: HeadShape, text: (step: number) => string): string {
  return times(headDim / 16, text);
}

/** One line for each 16 features of a subgroup's half. */
export function perTile({ headDim }: HeadShape, text: (tile: number) => string): string {
  return times(headDim / 32, text);
}

/** Constants, workgroup memory, matrices, and the sums and maxima of a row's four lanes. */
export function attentionMatrixHead(spec: AttentionMatrixSpec, stages: 1 | 2): string {
  const score = ["scores", "dScores"].slice(0, stages);
  const weight = ["weights", "dWeights"].slice(0, stages);
  return wgsl`
    const GROUP = NUM_HEADS / NUM_KEY_VALUE_HEADS;
    const ROWS = WORKGROUP_SIZE / 4u; // of the workgroup
    const TILE = 32u; // rows of the other side at a time
    const ROW_VECTORS = HEAD_DIM / 8u; // eight f16 each
    const PITCH = ROW_VECTORS + 1u; // odd, so that neighbouring rows lie in different banks
    const SCORE_PITCH = ${scorePitch}u;
    const WEIGHT_PITCH = ${weightPitch}u;
    const SCALE = ${1 / Math.sqrt(spec.headDim)};
    const LOG2_E = ${Math.LOG2E};
    const MASKED = -1e30;

    var<workgroup> tiles: array<vec4<u32>, 2u * TILE * PITCH>; // TILE rows of the first operand, then TILE rows of the second
    ${score.map((name) => `var<workgroup> ${name}: array<vec4<f32>, ROWS * SCORE_PITCH>;`).join("\n")}
    ${weight.map((name) => `var<workgroup> ${name}: array<vec4<u32>, ROWS * WEIGHT_PITCH>;`).join("\n")}
    var<workgroup> reach: atomic<u32>;

    ${subgroupMatrices(spec.matrix, { halves: ["tiles", ...weight], sums: score })}

    fn queryRow(token: u32, head: u32) -> u32 { return (token * NUM_HEADS + head) * ROW_VECTORS; }
    fn keyRow(token: u32, head: u32) -> u32 { return (token * NUM_KEY_VALUE_HEADS + head) * ROW_VECTORS; }
    fn placeInTiles(i: u32) -> u32 { return i / ROW_VECTORS * PITCH + i % ROW_VECTORS; }
    fn packEight(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
      return vec4<u32>(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
    }`;
}

/** Which rows and which part of the work a workgroup, a subgroup and a lane have. */
export function matrixRows({ matrix }: AttentionMatrixSpec): string {
  return wgsl`
    ${startMatrices(matrix)}
    let block = foldedIndex(group, groups);
    let head = block % NUM_HEADS;
    let firstRow = block / NUM_HEADS * ROWS;
    if (firstRow >= params.numTokens) { return; }
    let rowTile = lane / 64u;
    let half = lane / 32u % 2u;
    let row = lane / 4u;
    let part = lane % 4u; // which eight of 32 columns
    let isToken = firstRow + row < params.numTokens;
    let token = min(firstRow + row, params.numTokens - 1u);
    let scorePlace = rowTile * 16u * SCORE_PITCH + half * 4u; // this subgroup's 16 × 16 of the scores
    let rowPlace = row * SCORE_PITCH + part * 2u; // this lane's eight of them`;
}

/** Copies the workgroup's rows of `array` to `tiles`; `address` is queryRow or keyRow. A barrier must follow. */
export function stageRows(array: string, address: string, head = "head"): string {
  return wgsl`
    for (var i = lane; i < ROWS * ROW_VECTORS; i += WORKGROUP_SIZE) {
      tiles[placeInTiles(i)] = ${array}[${address}(min(firstRow + i / ROW_VECTORS, params.numTokens - 1u), ${head}) + i % ROW_VECTORS];
    }`;
}

/**
 * `fetched(tile, i, head)`: the i-th vec4 of a tile of `first` and one of `second`, rows from `tile` on. Lanes fetch the next tile into registers
 * while they work on one. Rows past the last of `count` are its last.
 */
export function fetchFunction(first: string, second: string, address: string, count: "numKeys" | "numTokens"): string {
  return wgsl`
    fn fetched(tile: u32, i: u32, head: u32) -> vec4<u32> {
      let source = ${address}(min(tile + i / ROW_VECTORS % TILE, params.${count} - 1u), head) + i % ROW_VECTORS;
      if (i < TILE * ROW_VECTORS) { return ${first}[source]; }
      return ${second}[source];
    }`;
}

/** One line for each vec4 that a lane fetches of a tile. */
function perFetch({ headDim, workgroupSize }: AttentionMatrixSpec, text: (i: number) => string): string {
  return times((64 * headDim) / 8 / workgroupSize, text);
}

/** Assigns `fetched0`, …, the lane's part of the tile at `tile`; with `declare`, makes them. */
export function fetchTile(spec: AttentionMatrixSpec, tile: string, head: string, declare = ""): string {
  return perFetch(spec, (i) => `${declare}fetched${i} = fetched(${tile}, ${i}u * WORKGROUP_SIZE + lane, ${head});`);
}

/** Puts what was fetched into `tiles`. A barrier must follow. */
export function storeTile(spec: AttentionMatrixSpec): string {
  return perFetch(spec, (i) => `tiles[placeInTiles(${i}u * WORKGROUP_SIZE + lane)] = fetched${i};`);
}

/** `sum` += owned rows (`name0`, …) times 16 rows of the first or second operand in `tiles`, transposed. */
export function addScores(spec: AttentionMatrixSpec, sum: string, name: string, operand: 0 | 1): string {
  const { multiplyAdd, rightOfRows } = matrixCalls(spec.matrix);
  return perStep(
    spec,
    (step) =>
      `${sum} = ${multiplyAdd(`${name}${step}`, rightOfRows("tiles", `(${operand}u * TILE + half * 16u) * PITCH + ${2 * step}u`, "PITCH"), sum)};`,
  );
}

/** `acc0`, … += the subgroup's 16 rows of `weights` times its half of the first or second operand in `tiles`. */
export function addWeighted(spec: AttentionMatrixSpec, acc: string, weights: string, operand: 0 | 1): string {
  const { left, multiplyAdd, right } = matrixCalls(spec.matrix);
  return times(2, (step) => {
    const factors = `${weights}${step}`;
    const load = `let ${factors} = ${left(weights, `rowTile * 16u * WEIGHT_PITCH + ${2 * step}u`, "WEIGHT_PITCH")};`;
    const place = (i: number): string => `(${operand}u * TILE + ${16 * step}u) * PITCH + half * (ROW_VECTORS / 2u) + ${2 * i}u`;
    return `${load}\n${perTile(spec, (i) => `${acc}${i} = ${multiplyAdd(factors, right("tiles", place(i), "PITCH"), `${acc}${i}`)};`)}`;
  });
}

/**
 * For each `acc0`, …: through `scores`, hands every lane eight neighbouring features of its row, `low` and `high`, the first of which is `feature`,
 * to `use`. Call it after a barrier.
 */
export function forEachEight(spec: AttentionMatrixSpec, acc: string, use: string): string {
  return perTile(
    spec,
    (i) => wgsl`
      ${matrixCalls(spec.matrix).store("scores", "scorePlace", "SCORE_PITCH", `${acc}${i}`)}
      workgroupBarrier();
      if (isToken) {
        let low = scores[rowPlace];
        let high = scores[rowPlace + 1u];
        let feature = part / 2u * (HEAD_DIM / 2u) + ${16 * i}u + part % 2u * 8u;
        ${use}
      }
      workgroupBarrier();`,
  );
}

/** `name0`, `name1`, …: the subgroup's 16 staged rows as left operands. */
export function loadRows(spec: AttentionMatrixSpec, name: string): string {
  return perStep(
    spec,
    (step) => `let ${name}${step} = ${matrixCalls(spec.matrix).left("tiles", `rowTile * 16u * PITCH + ${2 * step}u`, "PITCH")};`,
  );
}
