import { wgsl } from "../wgsl.js";
import { packEight } from "./gemm-eights.js";
import { computeMain } from "./grid.js";
import { factorScale, halfParts, rangeOf } from "./half-parts.js";
import { list } from "./pipelined-tiles.js";
import { reduceMax } from "./reduce.js";
import {
  eightOfB,
  eightsOfB,
  factorOf,
  partPitch,
  skinnyBlock,
  skinnyCarried,
  skinnyFetches,
  skinnyLayout,
  type SkinnySpec,
} from "./skinny-tiles.js";
import { matrixCalls, startMatrices, subgroupMatrices } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/**
 * For matrix units: a of f16, b of f32 in two parts of f16, f32 sums. A workgroup has a part of the depth, of which each subgroup keeps its own 16s of b in registers,
 * split once, and goes through blocks of rows: the next block is on its way while one is multiplied, and the subgroups' sums are added in order. What b costs is
 * so paid once a workgroup and not once a block.
 */
export function skinnyGemm(spec: SkinnySpec): string {
  const { subgroups, rows, depth } = skinnyBlock(spec);
  const { vectors, perLane, sumsAtOnce } = skinnyLayout(spec);
  const tiles = list(spec.columnTiles, (j) => j);
  const steps = list(spec.steps, (step) => step);
  return wgsl`
    var<workgroup> stage: array<vec4<u32>, ${vectors}>;
    var<workgroup> bands: array<vec4<f32>, ${64 * subgroups * sumsAtOnce}>; // 16 × 16 sums of each subgroup
    ${subgroupMatrices(spec.matrix, { halves: ["stage"], sums: ["bands"] })}
    ${packEight(spec)}
    ${halfParts}
    ${eightsOfB(spec)}
    ${spec.hasPeaks ? reduceMax(spec) : ""}

    ${computeMain(spec)} {
      ${startMatrices(spec.matrix)}
      let subgroup = lane / 32u;
      let start = group.z * ${depth}u;
      let numBlocks = (params.m + ${rows - 1}u) / ${rows}u;
      let stride = groups.x * groups.y;
      var block = foldedIndex(group, groups);
      if (block >= numBlocks) { return; }
      ${skinnyCarried(spec)}
      ${skinnyFetches(spec, `block * ${rows}u`)}
      ${steps.map((step) => tiles.map((j) => `let b${step}_${j} = ${eightOfB(spec, step, j)};`).join("\n")).join("\n")}
      ${range(spec)}
      ${steps.map((step) => tiles.map((j) => partsOfB(spec, step, j)).join("\n")).join("\n")}
      for (; block < numBlocks; block += stride) {
        let firstRow = block * ${rows}u;
        ${times(perLane, (j) => `stage[place${j}] = next${j};`)}
        workgroupBarrier();
        ${skinnyFetches(spec, `min(block + stride, numBlocks - 1u) * ${rows}u`)}
        ${times(spec.rowTiles, (i) => tiles.map((j) => `var sum${i}_${j} = Sum();`).join("\n"))}
        ${times(spec.steps, (step) => multiply(spec, step))}
        ${results(spec)}
      }
    }`;
}

/** What brings each factor of b into the range of f16, and back. */
function range({ hasPeaks, workgroupSize, factors }: SkinnySpec): string {
  return times(factors, (factor) =>
    hasPeaks
      ? wgsl`
          var largest${factor} = 0.0;
          for (var i = lane; i < params.numPeaks; i += ${workgroupSize}u) {
            largest${factor} = max(largest${factor}, peaks[params.firstPeak + ${factor}u * params.numPeaks + i]);
          }
          ${rangeOf(`reduceMax(largest${factor}, lane)`, `${factor}`)}`
      : `let toRange${factor} = ${factorScale}.0;\nlet fromRange${factor} = ${1 / factorScale};`,
  );
}

/** Both parts of a subgroup's b of a step, `high` and `low`. */
function partsOfB(spec: SkinnySpec, step: number, j: number): string {
  const { bOrder, matrix, workgroupSize } = spec;
  const part = (isLow: boolean): string => `halfParts(toRange${factorOf(spec, j)} * b${step}_${j}, ${isLow})`;
  const { right, rightOfRows } = matrixCalls(matrix);
  const load = bOrder === "rows" ? rightOfRows : right;
  const ofSubgroup = 16 * partPitch;
  const low = (workgroupSize / 32) * ofSubgroup;
  return wgsl`
    stage[lane / 2u * ${partPitch}u + lane % 2u] = ${part(false)};
    stage[${low}u + lane / 2u * ${partPitch}u + lane % 2u] = ${part(true)};
    workgroupBarrier();
    let high${step}_${j} = ${load("stage", `subgroup * ${ofSubgroup}u`, `${partPitch}u`)};
    let low${step}_${j} = ${load("stage", `${low}u + subgroup * ${ofSubgroup}u`, `${partPitch}u`)};
    workgroupBarrier();`;
}

/** 16 of a subgroup's depth: each fragment of a times both parts of b. */
function multiply(spec: SkinnySpec, step: number): string {
  const { pitch } = skinnyLayout(spec);
  const { left, leftOfColumns, multiplyAdd } = matrixCalls(spec.matrix);
  const first = `(subgroup * ${spec.steps}u + ${step}u)`;
  const fragment = (i: number): string =>
    spec.aOrder === "rows"
      ? left("stage", `${16 * i * pitch}u + 2u * ${first}`, `${pitch}u`)
      : leftOfColumns("stage", `${16 * pitch}u * ${first} + ${2 * i}u`, `${pitch}u`);
  const add = (i: number, part: string, j: number): string =>
    `sum${i}_${j} = ${multiplyAdd(`left${step}_${i}`, `${part}${step}_${j}`, `sum${i}_${j}`)};`;
  return times(
    spec.rowTiles,
    (i) => wgsl`
      let left${step}_${i} = ${fragment(i)};
      ${times(spec.columnTiles, (j) => add(i, "high", j))}
      ${times(spec.columnTiles, (j) => add(i, "low", j))}`,
  );
}

/** The subgroups' sums, some fragments at a time, added in order. */
function results(spec: SkinnySpec): string {
  const { subgroups } = skinnyBlock(spec);
  const { sumsAtOnce } = skinnyLayout(spec);
  const { rowTiles, columnTiles } = spec;
  const sums = list(rowTiles * columnTiles, (index) => index);
  const rounds = list(Math.ceil(sums.length / sumsAtOnce), (round) => sums.slice(sumsAtOnce * round, sumsAtOnce * (round + 1)));
  const { store } = matrixCalls(spec.matrix);
  const fromRange = list(spec.factors - 1, (factor) => factor + 1).reduce(
    (rest, factor) => `select(${rest}, fromRange${factor}, sum % ${columnTiles}u >= ${(factor * columnTiles) / spec.factors}u)`,
    "fromRange0",
  );
  const name = (index: number): string => `sum${Math.floor(index / columnTiles)}_${index % columnTiles}`;
  return rounds
    .map(
      (round, number) => wgsl`
        ${number > 0 ? "workgroupBarrier();" : ""}
        ${round.map((index, slot) => store("bands", `${64 * subgroups * slot}u + 64u * subgroup`, "4u", name(index))).join("\n")}
        workgroupBarrier();
        for (var index = lane; index < ${64 * round.length}u; index += ${spec.workgroupSize}u) {
          let sum = index / 64u + ${round[0]!}u;
          let place = index % 64u;
          let first = index / 64u * ${64 * subgroups}u + place;
          let row = firstRow + sum / ${columnTiles}u * 16u + place / 4u;
          var total = bands[first];
          ${times(subgroups - 1, (s) => `total += bands[first + ${64 * (s + 1)}u];`)}
          if (row < params.m) { parts[(group.z * params.m + row) * ${4 * columnTiles}u + sum % ${columnTiles}u * 4u + place % 4u] = ${fromRange} * total; }
        }`,
    )
    .join("\n");
}
