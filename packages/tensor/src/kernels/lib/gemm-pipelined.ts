import { wgsl } from "../wgsl.js";
import { packEight, writeEight } from "./gemm-eights.js";
import { computeMain } from "./grid.js";
import { fragments, fragmentsOf, multiplications } from "./pipelined-fragments.js";
import { lowRankFirst, lowRankFunctions, lowRankLoads, lowRankRange, lowRankScaled } from "./pipelined-low-rank.js";
import {
  carriedPlaces,
  carriedStarts,
  fetches,
  heldBack,
  list,
  pipelinedTile,
  puts,
  rightPlace,
  stageLayout,
  tileDepth,
  type PipelinedSpec,
} from "./pipelined-tiles.js";
import { matrixCalls, startMatrices, subgroupMatrices } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/**
 * For matrix units: f16 operands, f32 sums. Two stages of workgroup memory take turns: while the fragments of one are multiplied, the tile after the next is
 * put into the other and the one after that is on its way into registers; fragments are loaded one multiplication ahead. One barrier a tile. Workgroups with
 * other columns begin at another depth and wrap around, since else all would wait for the same part of b.
 *
 * A workgroup fills a multiprocessor, so nothing else runs there while it waits for its first operands or writes its results. It therefore goes on with
 * tiles of c that nobody has taken, `nextTile`, and loads the first operands of the next before it writes the results of this one. Which workgroup has which
 * tile changes no bit. The last to find none left sets `nextTile` back to 0.
 */
export function pipelinedGemm(spec: PipelinedSpec): string {
  const { rows, cols } = pipelinedTile(spec);
  const { vectors, leftPitch } = stageLayout(spec);
  const { down, across } = fragmentsOf(spec);
  return wgsl`
    var<workgroup> stage0: array<vec4<u32>, ${vectors}>;
    var<workgroup> stage1: array<vec4<u32>, ${vectors}>;
    ${spec.fewTiles ? "" : "var<workgroup> taken: u32;"}
    ${subgroupMatrices(spec.matrix, { halves: ["stage0", "stage1"], sumBits: ["stage0", "stage1"] })}
    ${rightPlace(spec)}
    ${packEight(spec)}
    ${writeEight(spec)}
    ${spec.hasLowRank ? lowRankFunctions(spec) : ""}

    ${computeMain(spec)} {
      ${startMatrices(spec.matrix)}
      let tilesM = (params.m + ${rows - 1}u) / ${rows}u;
      let tilesN = (params.n + ${cols - 1}u) / ${cols}u;
      let numTiles = params.k / ${tileDepth}u;
      let subgroup = lane / 32u;
      let subgroupRow = subgroup / ${spec.subgroupsAcross}u * ${spec.subgroupRows}u;
      let subgroupCol = subgroup % ${spec.subgroupsAcross}u * ${spec.subgroupCols}u;
      let leftBase = subgroupRow * ${leftPitch}u;
      ${times(across, (j) => `let rightBase${j} = rightPlace(subgroupCol + ${16 * j}u);`)}
      ${carriedPlaces(spec)}
      ${times(2, (f) => [...list(down, (i) => `var left${f}_${i}: Left;`), ...list(across, (j) => `var right${f}_${j}: Right;`)].join("\n"))}
      ${spec.hasLowRank ? lowRankRange(spec) : ""}
      ${spec.fewTiles ? oneTile(spec) : tilesNobodyHas(spec)}
    }

    ${tileAt}

    fn depthOf(tile: u32, turn: u32) -> u32 {
      let numTiles = params.k / ${tileDepth}u;
      let place = min(tile, numTiles - 1u) + turn;
      return select(place, place - numTiles, place >= numTiles) * ${tileDepth}u;
    }`;
}

/** Rows of tiles of c that workgroups of one time share, where c is wide: they then read a part of b and not the whole of it. */
const bandRows = 16;

/** `fn tileAt(index, tilesM, tilesN) -> vec2<u32>`: row and column of a tile of c; along rows, or in a wide c down bands of rows. */
const tileAt = wgsl`
  fn tileAt(index: u32, tilesM: u32, tilesN: u32) -> vec2<u32> {
    if (tilesN <= ${bandRows}u) { return vec2<u32>(index / tilesN, index % tilesN); }
    let first = index / (${bandRows}u * tilesN) * ${bandRows}u;
    let inside = index - first * tilesN;
    let high = min(${bandRows}u, tilesM - first);
    return vec2<u32>(first + inside % high, inside / high);
  }`;

/** A workgroup for each tile. */
function oneTile(spec: PipelinedSpec): string {
  return wgsl`
    let index = foldedIndex(group, groups);
    if (index >= tilesM * tilesN) { return; }
    ${startOf(spec, "index", "var ")}
    ${productOf(spec, "")}
    ${results(spec, "firstRow", "firstCol")}`;
}

/** Tiles until there are none left. */
function tilesNobodyHas(spec: PipelinedSpec): string {
  const take = "if (lane == 0u) { taken = atomicAdd(&nextTile[0], 1u); }";
  const end = "if (lane == 0u && index == last) { atomicStore(&nextTile[0], 0u); }";
  return wgsl`
    let total = tilesM * tilesN;
    let last = total + groups.x * groups.y - 1u;
    ${take}
    var index = workgroupUniformLoad(&taken);
    if (index >= total) {
      ${end}
      return;
    }
    ${startOf(spec, "index", "var ")}
    loop {
      ${productOf(spec, take)}
      let doneRow = firstRow;
      let doneCol = firstCol;
      index = workgroupUniformLoad(&taken);
      let next = min(index, total - 1u);
      ${startOf(spec, "next", "")}
      ${results(spec, "doneRow", "doneCol")}
      if (index >= total) { break; }
      workgroupBarrier();
    }
    ${end}`;
}

/** Where a tile of c begins, and the loads of what is multiplied first; `word` is "var " where they are declared. */
function startOf(spec: PipelinedSpec, index: string, word: string): string {
  const { rows, cols } = pipelinedTile(spec);
  return wgsl`
    ${word}tile = tileAt(${index}, tilesM, tilesN);
    ${word}firstRow = tile.x * ${rows}u;
    ${word}firstCol = tile.y * ${cols}u;
    ${word}turn = tile.y % numTiles;
    ${carriedStarts(spec, word)}
    ${spec.hasLowRank ? lowRankLoads(spec, "0u", word) : ""}
    ${fetches(spec, "depthOf(0u, turn)").join("\n")}`;
}

/** From the first loads to the sums of all; `meanwhile` is done once, before many barriers. */
function productOf(spec: PipelinedSpec, meanwhile: string): string {
  const { down, across } = fragmentsOf(spec);
  return wgsl`
    ${times(down, (i) => times(across, (j) => `var sum${i}_${j} = Sum();`))}
    ${spec.hasLowRank ? lowRankFirst(spec) : firstTiles(spec)}
    workgroupBarrier();
    ${meanwhile}
    ${fragments(spec, 0, 0, 0).join("\n")}
    ${
      spec.hasLowRank
        ? wgsl`
          {
            ${bothStages(spec, (stage) => `depthOf(${1 + stage}u, turn)`)}
          }
          ${lowRankScaled(spec)}`
        : ""
    }
    for (var depth = 0u; depth < numTiles; depth += 2u) {
      ${bothStages(spec, (stage) => `depthOf(depth + ${3 + stage}u, turn)`)}
    }`;
}

/** Multiplies what is in both stages; meanwhile what was on its way is put there, and what lies at `depthOf` a stage is sent for. */
function bothStages(spec: PipelinedSpec, depthOf: (stage: number) => string): string {
  const { deep } = fragmentsOf(spec);
  return times(2, (stage) =>
    times(deep, (step) => {
      const current = (stage * deep + step) % 2;
      if (step < deep - 1) return [...fragments(spec, 1 - current, stage, step + 1), ...multiplications(spec, current)].join("\n");
      const next = `depth${stage}`;
      return wgsl`
        workgroupBarrier();
        ${fragments(spec, 1 - current, 1 - stage, 0).join("\n")}
        let ${next} = ${depthOf(stage)};
        ${interleaved(multiplications(spec, current), [...puts(spec, stage), ...fetches(spec, next)]).join("\n")}`;
    }),
  );
}

/** The first tile of the depth is on its way: the second is sent for before either is put into its stage. */
function firstTiles(spec: PipelinedSpec): string {
  return wgsl`
    ${heldBack(spec)}
    ${fetches(spec, "depthOf(1u, turn)").join("\n")}
    ${puts(spec, 0, "Held").join("\n")}
    ${puts(spec, 1).join("\n")}
    ${fetches(spec, "depthOf(2u, turn)").join("\n")}`;
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

/**
 * Sums go through the stages, 16 rows of each of two halves of the tile at a time, so that whole rows of the tile are written: pieces of 16 columns went to
 * memory at 1.2 TB/s (H200, 2026-12-01).
 */
function results(spec: PipelinedSpec, firstRow: string, firstCol: string): string {
  const { cols } = pipelinedTile(spec);
  const { down, across } = fragmentsOf(spec);
  const { store } = matrixCalls(spec.matrix);
  const [pitch, chunks, lanes] = [cols / 4 + 1, cols / 8, 32 * spec.subgroupsAcross];
  const inHalf = (text: (stage: string) => string): string => `if (lane < ${lanes}u) { ${text("stage0")} } else { ${text("stage1")} }`;
  return wgsl`
    let halfLane = lane % ${lanes}u;
    ${times(
      down,
      (i) => wgsl`
        workgroupBarrier();
        ${inHalf((stage) => times(across, (j) => store(stage, `subgroupCol / 4u + ${4 * j}u`, `${pitch}u`, `sum${i}_${j}`)))}
        workgroupBarrier();
        ${times(
          (16 * chunks) / lanes,
          (e) => wgsl`
            {
              let row = (halfLane + ${lanes * e}u) / ${chunks}u;
              let chunk = (halfLane + ${lanes * e}u) % ${chunks}u;
              let at = row * ${pitch}u + 2u * chunk;
              var first: vec4<u32>;
              var second: vec4<u32>;
              ${inHalf((stage) => `first = ${stage}[at]; second = ${stage}[at + 1u];`)}
              writeEight(${firstRow} + subgroupRow + ${16 * i}u + row, ${firstCol} + 8u * chunk, 0u, bitcast<vec4<f32>>(first), bitcast<vec4<f32>>(second));
            }`,
        )}`,
    )}`;
}
