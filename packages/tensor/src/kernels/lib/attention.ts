import type { Capabilities } from "../../device/capabilities.js";
import { always, type Variant } from "../define-kernel.js";
import { wgsl } from "../wgsl.js";
import { gapOfQuery, groupGap, groupGapVariables, startOf, type KeyGaps } from "./attention-gaps.js";
import { oneGroupPer, oneThreadPer } from "./grid.js";
import { sumOfFourLanes } from "./reduce.js";
import { unroll } from "./unroll.js";

/** The shape an attention kernel is specialised on. `vector` divides headDim. */
export interface AttentionShape {
  [field: string]: string | number | boolean;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vector: "vec4" | "vec2";
}

/**
 * How a kernel shares its rows (queries, or keys for their gradients). 1: one lane a row, which reads what it needs from storage. 4: four
 * neighbouring lanes a row, each with every fourth vector of the head, which read tiles of the other side from workgroup memory.
 */
export interface RowSharing {
  [field: string]: string | number | boolean;
  workgroupSize: number;
  lanesPerRow: 1 | 4;
}

/**
 * Which tokens have a query. `all`: each one, query t stands at key t. `last`: fewer than there are keys, as when the keys of earlier tokens were kept;
 * query t stands at key lastKeys[t].
 */
export interface QueryPlaces {
  queries: "all" | "last";
}

type Spec = AttentionShape & RowSharing;

/** Half of the workgroup memory that every device has, less 512 bytes for the rest. */
const tileBytes = 7680;

/** Vectors in a head. */
function vectorsOf({ headDim, vector }: AttentionShape): number {
  return headDim / (vector === "vec4" ? 4 : 2);
}

/** Text for each vector that a lane has of a head: `@i` is its number in the lane, `@place` its place in the row, `@first` that of the row's first lane. */
export function perVector(spec: Spec, text: string): string {
  const first = (i: number): string => `${spec.lanesPerRow * i}u`;
  const place = (i: number): string => (spec.lanesPerRow === 1 ? first(i) : `${first(i)} + slice`);
  return unroll(vectorsOf(spec) / spec.lanesPerRow, text, "@i", { "@place": place, "@first": first });
}

/** Workgroups for `numTokens` rows in each of `heads` heads. */
export function attentionGrid(
  numTokens: number,
  heads: number,
  { workgroupSize, lanesPerRow }: RowSharing,
): readonly [number, number, number] {
  return lanesPerRow === 1
    ? oneThreadPer(numTokens * heads, workgroupSize)
    : oneGroupPer(Math.ceil(numTokens / (workgroupSize / lanesPerRow)) * heads);
}

/** The ways of every attention kernel. */
export function attentionVariants<S extends Spec>(): Variant<S>[] {
  const subgroup = (caps: Capabilities, spec: S): boolean => caps.subgroups && !caps.software && spec.headDim % 16 === 0;
  return [
    { name: "subgroup", when: subgroup, spec: { workgroupSize: 256, lanesPerRow: 4 } as Partial<S> },
    { name: "plain", when: always, spec: { workgroupSize: 64, lanesPerRow: 1 } as Partial<S> },
  ];
}

/** Subgroup features of a kernel. */
export function attentionEnables({ lanesPerRow }: RowSharing): string[] {
  return lanesPerRow === 4 ? ["enable subgroups;"] : [];
}

/**
 * Constants, and addresses in vectors: `queryRow` in q, out and their gradients, `keyRow` in k, v and theirs. With four lanes a row also
 * `rowSum`, over those lanes, and tiles `first` and `second` of TILE rows of the other side.
 */
export function attentionHead(spec: Spec): string {
  const vectors = vectorsOf(spec);
  const tile = Math.min(32, 4 * Math.floor(tileBytes / (spec.headDim * 4) / 4));
  return wgsl`
    alias Vector = ${spec.vector}<f32>;
    const VECTORS = ${vectors}u;
    const GROUP = NUM_HEADS / NUM_KEY_VALUE_HEADS;
    const SCALE = ${1 / Math.sqrt(spec.headDim)};
    const MASKED = -1e30;
    const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

    fn queryRow(token: u32, head: u32) -> u32 { return (token * NUM_HEADS + head) * VECTORS; }
    fn keyRow(token: u32, head: u32) -> u32 { return (token * NUM_KEY_VALUE_HEADS + head) * VECTORS; }
    ${spec.lanesPerRow === 1 ? "" : rowsOfFourLanes(tile)}`;
}

function rowsOfFourLanes(tile: number): string {
  return wgsl`
    const TILE = ${tile}u;
    const ROWS = WORKGROUP_SIZE / 4u;
    var<workgroup> firstTile: array<Vector, TILE * VECTORS>;
    var<workgroup> secondTile: array<Vector, TILE * VECTORS>;
    var<workgroup> startTile: array<u32, TILE>;
    var<workgroup> statisticTile: array<vec2<f32>, TILE>;
    var<workgroup> reach: atomic<u32>;

    ${sumOfFourLanes("rowSum", "vec4<f32>")}
    ${sumOfFourLanes("rowSumPair", "vec2<f32>")}`;
}

/** A lane's row of `NUM_HEADS` or `NUM_KEY_VALUE_HEADS` heads. */
export function laneOfRow(heads: "NUM_HEADS" | "NUM_KEY_VALUE_HEADS"): string {
  return wgsl`
    let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
    if (index >= params.numTokens * ${heads}) { return; }
    let token = index / ${heads};
    let head = index % ${heads};`;
}

/** Four lanes' row of `NUM_HEADS` heads: `row` may lie past the last token, `token` not. */
export function lanesOfRow(heads: "NUM_HEADS" | "NUM_KEY_VALUE_HEADS"): string {
  return wgsl`
    let block = foldedIndex(group, groups);
    let head = block % ${heads};
    let firstRow = block / ${heads} * ROWS;
    if (firstRow >= params.numTokens) { return; }
    let row = firstRow + lane / 4u;
    let slice = lane % 4u;
    let token = min(row, params.numTokens - 1u);`;
}

/** `last`: the key at which the query `token` stands, the last that it sees. */
export function lastKeyOfQuery({ queries }: QueryPlaces): string {
  return `let last = ${queries === "all" ? "token" : "min(lastKeys[token], params.numKeys - 1u)"};`;
}

/** Declares what `keysOfGroup` needs beside `reach`. */
export function groupVariables({ queries, hasGaps }: QueryPlaces & KeyGaps): string {
  return wgsl`
    ${queries === "all" ? "" : "var<workgroup> groupEnd: atomic<u32>;"}
    ${groupGapVariables({ hasGaps })}`;
}

/** `start`, and the range from `firstKey` to `endKey`, exclusive, that holds every key which a query of the workgroup sees. Needs `last`; once a kernel. */
export function keysOfGroup({ queries, hasGaps }: QueryPlaces & KeyGaps): string {
  const [noteEnd, end] =
    queries === "all"
      ? ["", "min(firstRow + ROWS, params.numKeys)"]
      : ["if (start <= last) { atomicMax(&groupEnd, last + 1u); }", "workgroupUniformLoad(&groupEnd)"];
  return wgsl`
    let start = ${startOf({ hasGaps }, "token")};
    if (start <= last) { atomicMax(&reach, params.numKeys - start); }
    ${noteEnd}
    let firstKey = params.numKeys - workgroupUniformLoad(&reach);
    let endKey = ${end};
    ${gapOfQuery({ hasGaps })}
    ${groupGap({ hasGaps }, "last", "numKeys")}`;
}
