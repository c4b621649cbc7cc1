import { wgsl } from "../wgsl.js";
import { packEight } from "./gemm-eights.js";
import { computeMain } from "./grid.js";
import { factorScale, halfParts, rangeOf } from "./half-parts.js";
import { reduceMax } from "./reduce.js";
import { skinnyCarried, skinnyFetches, skinnyLayout, type SkinnySpec } from "./skinny-tiles.js";
import { matrixCalls, startMatrices, subgroupMatrices } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/**
 * For matrix units: a of f16, b of f32 in two parts of f16, f32 sums. A workgroup has some rows of c and all its columns; each subgroup multiplies its own 16
 * of a tile's depth, so that a fragment is loaded once; at the end their sums are added in order. Two stages, two more tiles on their way into registers, one
 * barrier a tile.
 */
export function skinnyGemm(spec: SkinnySpec): string {
  const { vectors } = skinnyLayout(spec);
  const subgroups = spec.tileDepth / 16;
  const down = spec.groupRows / 16;
  return wgsl`
    var<workgroup> stage0: array<vec4<u32>, ${vectors}>;
    var<workgroup> stage1: array<vec4<u32>, ${vectors}>;
    var<workgroup> bands: array<vec4<f32>, ${64 * subgroups}>; // 16 × 16 sums of each subgroup
    ${subgroupMatrices(spec.matrix, { halves: ["stage0", "stage1"], sums: ["bands"] })}
    ${packEight(spec)}
    ${halfParts}
    ${skinnyFetches(spec)}
    ${spec.hasPeaks ? reduceMax(spec) : ""}

    ${computeMain(spec)} {
      ${startMatrices(spec.matrix)}
      let firstRow = foldedIndex(group, groups) * ${spec.groupRows}u;
      if (firstRow >= params.m) { return; }
      let subgroup = lane / 32u;
      ${skinnyCarried(spec)}
      ${times(down, (i) => times(spec.columnTiles, (j) => `var sum${i}_${j}: Sum;`))}
      ${range(spec)}
      let start = group.z * params.depthPerSplit;
      let end = min(start + params.depthPerSplit, params.k);
      let numTiles = (end - start + ${spec.tileDepth - 1}u) / ${spec.tileDepth}u;
      ${fetch(spec, 0, "start")}
      ${fetch(spec, 1, `start + ${spec.tileDepth}u`)}
      ${put(spec, 0)}
      ${fetch(spec, 0, `start + ${2 * spec.tileDepth}u`)}
      for (var tile = 0u; tile < numTiles; tile += 2u) {
        let depth = start + tile * ${spec.tileDepth}u;
        workgroupBarrier();
        ${put(spec, 1)}
        ${fetch(spec, 1, `depth + ${3 * spec.tileDepth}u`)}
        ${multiply(spec, 0)}
        workgroupBarrier();
        ${put(spec, 0)}
        ${fetch(spec, 0, `depth + ${4 * spec.tileDepth}u`)}
        ${multiply(spec, 1)} // past the last tile b is 0
      }
      ${results(spec)}
    }`;
}

/** What brings b into the range of f16, and back. */
function range({ hasPeaks, workgroupSize }: SkinnySpec): string {
  if (!hasPeaks) return `let toRange = ${factorScale}.0;\nlet fromRange = ${1 / factorScale};`;
  return wgsl`
    var largest = 0.0;
    for (var i = lane; i < params.numPeaks; i += ${workgroupSize}u) { largest = max(largest, peaks[i]); }
    ${rangeOf("reduceMax(largest, lane)")}`;
}

function fetch(spec: SkinnySpec, set: number, depth: string): string {
  const { aPerLane, bPerLane } = skinnyLayout(spec);
  return [
    times(aPerLane, (j) => `aNext${set}_${j} = eightOfA(aLine${j}, aEight${j}, firstRow, ${depth});`),
    times(
      bPerLane,
      (j) =>
        `bNext${set}_${j} = eightOfB(bLine${j}, bEight${j}, ${depth});\nbIsThere${set}_${j} = isThere(bLine${j}, bEight${j}, ${depth}, end);`,
    ),
  ].join("\n");
}

function put(spec: SkinnySpec, stage: number): string {
  const { aPerLane, bPerLane, high, low } = skinnyLayout(spec);
  return [
    times(aPerLane, (j) => `stage${stage}[aPlace${j}] = aNext${stage}_${j};`),
    times(
      bPerLane,
      (j) => wgsl`
        let b${stage}_${j} = select(0.0, toRange, bIsThere${stage}_${j}) * bNext${stage}_${j};
        stage${stage}[${high}u + bPlace${j}] = halfParts(b${stage}_${j}, false);
        stage${stage}[${low}u + bPlace${j}] = halfParts(b${stage}_${j}, true);`,
    ),
  ].join("\n");
}

/** A subgroup's 16 of the depth: each fragment of a times both parts of b. */
function multiply(spec: SkinnySpec, stage: number): string {
  const { aPitch, bPitch, high, low } = skinnyLayout(spec);
  const down = spec.groupRows / 16;
  const calls = matrixCalls(spec.matrix);
  const left = (i: number): string =>
    spec.aOrder === "rows"
      ? calls.left(`stage${stage}`, `${16 * i * aPitch}u + 2u * subgroup`, `${aPitch}u`)
      : calls.leftOfColumns(`stage${stage}`, `16u * subgroup * ${aPitch}u + ${2 * i}u`, `${aPitch}u`);
  const right = (start: number, j: number): string =>
    spec.bOrder === "rows"
      ? calls.rightOfRows(`stage${stage}`, `${start + 16 * j * bPitch}u + 2u * subgroup`, `${bPitch}u`)
      : calls.right(`stage${stage}`, `${start + 2 * j}u + 16u * subgroup * ${bPitch}u`, `${bPitch}u`);
  const add = (i: number, part: string, j: number): string =>
    `sum${i}_${j} = ${calls.multiplyAdd(`left${i}`, `${part}${j}`, `sum${i}_${j}`)};`;
  return wgsl`
    {
      ${times(spec.columnTiles, (j) => `let high${j} = ${right(high, j)};\nlet low${j} = ${right(low, j)};`)}
      ${times(
        down,
        (i) => wgsl`
          let left${i} = ${left(i)};
          ${times(spec.columnTiles, (j) => `${add(i, "high", j)}\n${add(i, "low", j)}`)}`,
      )}
    }`;
}

/** The subgroups' sums of 16 × 16 at a time, added in order. */
function results(spec: SkinnySpec): string {
  const subgroups = spec.tileDepth / 16;
  return times(spec.groupRows / 16, (i) =>
    times(
      spec.columnTiles,
      (j) => wgsl`
        workgroupBarrier();
        ${matrixCalls(spec.matrix).store("bands", "64u * subgroup", "4u", `sum${i}_${j}`)}
        workgroupBarrier();
        for (var place = lane; place < 64u; place += ${spec.workgroupSize}u) {
          let row = firstRow + ${16 * i}u + place / 4u;
          var total = bands[place];
          ${times(subgroups - 1, (s) => `total += bands[${64 * (s + 1)}u + place];`)}
          if (row < params.m) { parts[(group.z * params.m + row) * ${4 * spec.columnTiles}u + ${4 * j}u + place % 4u] = fromRange * total; }
        }`,
    ),
  );
}
