import { wgsl } from "../wgsl.js";
import { packEight, writeEight } from "./gemm-eights.js";
import { computeMain } from "./grid.js";
import { fragments, fragmentsOf, multiplications } from "./pipelined-fragments.js";
import { lowRankFunctions, lowRankTiles } from "./pipelined-low-rank.js";
import { carried, fetches, list, pipelinedTile, puts, rightPlace, stageLayout, tileDepth, type PipelinedSpec } from "./pipelined-tiles.js";
import { matrixCalls, startMatrices, subgroupMatrices } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/**
 * For matrix units: f16 operands, f32 sums. Two stages of workgroup memory take turns: while the fragments of one are multiplied, the tile after the next is
 * put into the other and the one after that is on its way into registers; fragments are loaded one multiplication ahead. One barrier a tile. Workgroups with
 * other columns begin at another depth and wrap around, since else all would wait for the same part of b.
 */
export function pipelinedGemm(spec: PipelinedSpec): string {
  const { rows, cols } = pipelinedTile(spec);
  const { vectors, leftPitch } = stageLayout(spec);
  const { down, across, deep } = fragmentsOf(spec);
  return wgsl`
    var<workgroup> stage0: array<vec4<u32>, ${vectors}>;
    var<workgroup> stage1: array<vec4<u32>, ${vectors}>;
    ${subgroupMatrices(spec.matrix, { halves: ["stage0", "stage1"], sumBits: ["stage0", "stage1"] })}
    ${rightPlace(spec)}
    ${packEight(spec)}
    ${writeEight(spec)}
    ${spec.hasLowRank ? lowRankFunctions(spec) : ""}

    ${computeMain(spec)} {
      ${startMatrices(spec.matrix)}
      let tilesN = (params.n + ${cols - 1}u) / ${cols}u;
      let index = foldedIndex(group, groups);
      let firstRow = index / tilesN * ${rows}u;
      let firstCol = index % tilesN * ${cols}u;
      if (firstRow >= params.m) { return; }
      let subgroup = lane / 32u;
      let subgroupRow = subgroup / ${spec.subgroupsAcross}u * ${spec.subgroupRows}u;
      let subgroupCol = subgroup % ${spec.subgroupsAcross}u * ${spec.subgroupCols}u;
      let leftBase = subgroupRow * ${leftPitch}u;
      ${times(across, (j) => `let rightBase${j} = rightPlace(subgroupCol + ${16 * j}u);`)}
      ${carried(spec)}
      ${times(down, (i) => times(across, (j) => `var sum${i}_${j}: Sum;`))}
      ${times(2, (f) => [...list(down, (i) => `var left${f}_${i}: Left;`), ...list(across, (j) => `var right${f}_${j}: Right;`)].join("\n"))}
      let numTiles = params.k / ${tileDepth}u;
      let turn = index % tilesN % numTiles;
      ${spec.hasLowRank ? lowRankTiles(spec) : firstTiles(spec)}
      ${puts(spec, 1).join("\n")}
      ${fetches(spec, "depthOf(2u, turn)").join("\n")}
      workgroupBarrier();
      ${fragments(spec, 0, 0, 0).join("\n")}
      for (var tile = 0u; tile < numTiles; tile += 2u) {
        ${times(2, (stage) =>
          times(deep, (step) => {
            const current = (stage * deep + step) % 2;
            if (step < deep - 1) return [...fragments(spec, 1 - current, stage, step + 1), ...multiplications(spec, current)].join("\n");
            const next = `depth${stage}`;
            return wgsl`
              workgroupBarrier();
              ${fragments(spec, 1 - current, 1 - stage, 0).join("\n")}
              let ${next} = depthOf(tile + ${3 + stage}u, turn);
              ${interleaved(multiplications(spec, current), [...puts(spec, stage), ...fetches(spec, next)]).join("\n")}`;
          }),
        )}
      }
      ${results(spec)}
    }

    fn depthOf(tile: u32, turn: u32) -> u32 {
      let numTiles = params.k / ${tileDepth}u;
      let place = min(tile, numTiles - 1u) + turn;
      return select(place, place - numTiles, place >= numTiles) * ${tileDepth}u;
    }`;
}

/** The first tile in its stage, the second on its way. */
function firstTiles(spec: PipelinedSpec): string {
  return [...fetches(spec, "depthOf(0u, turn)"), ...puts(spec, 0), ...fetches(spec, "depthOf(1u, turn)")].join("\n");
}

/** Other statements spread evenly among multiplications, which they need not wait for. */
function interleaved(multiplications: string[], others: string[]): string[] {
  const mixed: string[] = [];
  multiplications.forEach((statement, index) => {
    mixed.push(statement);
    const until = Math.floor(((index + 1) / multiplications.length) * others.length);
    const from = Math.floor((index / multiplications.length) * others.length);
    mixed.push(...others.slice(from, until));
  });
  return mixed;
}

/** Sums go through the stages, as many 16 × 16 of each subgroup at a time as there is room for, and are written eight neighbours at a time. */
function results(spec: PipelinedSpec): string {
  const { down, across } = fragmentsOf(spec);
  const numSubgroups = spec.subgroupsDown * spec.subgroupsAcross;
  const perStage = Math.floor(stageLayout(spec).vectors / numSubgroups / 64);
  const sums = list(down, (i) => list(across, (j) => [i, j] as const)).flat();
  const rounds = list(Math.ceil(sums.length / (2 * perStage)), (round) => sums.slice(2 * perStage * round, 2 * perStage * (round + 1)));
  const stageOf = (slot: number): string => `stage${slot % 2}`;
  const { store } = matrixCalls(spec.matrix);
  const place = (slot: number): string => `subgroup * ${64 * perStage}u + ${64 * Math.floor(slot / 2)}u`;
  return wgsl`
    let row = lane % 32u / 2u;
    let half = lane % 2u;
    ${rounds
      .map(
        (round) => wgsl`
          workgroupBarrier();
          ${round.map(([i, j], slot) => store(stageOf(slot), place(slot), "4u", `sum${i}_${j}`)).join("\n")}
          workgroupBarrier();
          ${round
            .map(
              ([i, j], slot) => wgsl`
                {
                  let at = ${place(slot)} + 4u * row + 2u * half;
                  writeEight(firstRow + subgroupRow + ${16 * i}u + row, firstCol + subgroupCol + ${16 * j}u + 8u * half, 0u, bitcast<vec4<f32>>(${stageOf(slot)}[at]), bitcast<vec4<f32>>(${stageOf(slot)}[at + 1u]));
                }`,
            )
            .join("\n")}`,
      )
      .join("\n")}`;
}
