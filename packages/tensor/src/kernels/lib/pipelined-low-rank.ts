import { wgsl } from "../wgsl.js";
import { factorScale, halfParts, rangeOf } from "./half-parts.js";
import { fragments, fragmentsOf, multiplications } from "./pipelined-fragments.js";
import { heldBack, list, puts, stageLayout, tileDepth, type PipelinedSpec } from "./pipelined-tiles.js";
import { matrixCalls } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/** `fn eightOfH`, `fn eightOfFactor` and what makes f16 of them. */
export function lowRankFunctions(spec: PipelinedSpec): string {
  const acrossRows = spec.order === "columns";
  return wgsl`
    ${halfParts}
    // Eight of a row of h, zeros past its end.
    fn eightOfH(row: u32, first: u32) -> mat2x4<f32> {
      let place = (min(row, params.m - 1u) * params.hPitch + params.hFirst + min(first, params.rank - 8u)) / 4u;
      return select(0.0, 1.0, first < params.rank) * mat2x4<f32>(h[place], h[place + 1u]);
    }
    // Eight of factor, along ${acrossRows ? "columns of c" : "the rank"}.
    fn eightOfFactor(line: u32, first: u32) -> mat2x4<f32> {
      ${
        acrossRows
          ? wgsl`
              let place = (min(line, params.rank - 1u) * params.n + min(first, params.n - 8u)) / 4u;
              return select(0.0, ${factorScale}.0, line < params.rank) * mat2x4<f32>(factor[place], factor[place + 1u]);`
          : wgsl`
              let place = (min(line, params.n - 1u) * params.rank + min(first, params.rank - 8u)) / 4u;
              return select(0.0, ${factorScale}.0, first < params.rank) * mat2x4<f32>(factor[place], factor[place + 1u]);`
      }
    }`;
}

/**
 * scale · h · factorᵀ (or h · factor, where b is [k, n]) comes before everything else: sums of f16 products of f32 in two parts, for each 16 of the rank one tile
 * [high | low] · [high | high] and one [high | low] · [low | low]. h is first brought to 2¹⁴ at most by a power of two, since a gradient may have any size; its
 * error is then 2⁻²² of the largest of `peaks`. While the last two tiles are multiplied, the first of a and b take their places.
 *
 * This defines the powers of two, `toRange` and `fromRange`.
 */
export function lowRankRange(spec: PipelinedSpec): string {
  return wgsl`
    ${largestPeak(spec)}
    ${rangeOf(spec.reduce === "subgroup" ? "subgroupMax(largest)" : "largest")}`;
}

/** Loads what a lane carries of 16 of the rank from `block` on; `word` is "var " where this is declared. */
export function lowRankLoads(spec: PipelinedSpec, block: string, word: string): string {
  const { perLane } = stageLayout(spec);
  return wgsl`
    ${list(perLane.left, (j) => `${word}h${j} = ${eightOfLeft(j, block)};`).join("\n")}
    ${list(perLane.right, (j) => `${word}factor${j} = ${eightOfRight(spec, j, block)};`).join("\n")}`;
}

/** Adds all but the last 16 of the rank, and puts those into the stages; of a and b the first tile is on its way, and is so afterwards. */
export function lowRankFirst(spec: PipelinedSpec): string {
  const { perLane } = stageLayout(spec);
  return wgsl`
    ${heldBack(spec)}
    for (var block = 16u; block < params.rank; block += 16u) {
      ${putLowRank(spec)}
      ${lowRankLoads(spec, "block", "")}
      workgroupBarrier();
      ${multiplied(spec, 0)}
      ${multiplied(spec, 1)}
      workgroupBarrier();
    }
    ${putLowRank(spec)}
    ${list(perLane.left, (j) => `leftNext${j} = leftHeld${j};`).join("\n")}
    ${list(perLane.right, (j) => `rightNext${j} = rightHeld${j};`).join("\n")}`;
}

/** When its tiles have been multiplied. */
export function lowRankScaled(spec: PipelinedSpec): string {
  const { down, across } = fragmentsOf(spec);
  const { scaled } = matrixCalls(spec.matrix);
  return wgsl`
    let toResult = params.lowRankScale * fromRange / ${factorScale}.0;
    ${times(down, (i) => times(across, (j) => `sum${i}_${j} = ${scaled(`sum${i}_${j}`, "toResult")};`))}`;
}

/** Defines `largest` of `peaks`, which is that of the subgroup where those reduce. */
function largestPeak({ reduce }: PipelinedSpec): string {
  const [first, step] = reduce === "subgroup" ? ["lane % 32u", "32u"] : ["0u", "1u"];
  return wgsl`
    var largest = 0.0;
    for (var i = ${first}; i < params.numPeaks; i += ${step}) { largest = max(largest, peaks[params.firstPeak + i]); }`;
}

function eightOfLeft(j: number, block: string): string {
  return `eightOfH(firstRow + leftLine${j}, ${block} + leftEight${j} % 2u * 8u)`;
}

function eightOfRight({ order }: PipelinedSpec, j: number, block: string): string {
  return order === "columns"
    ? `eightOfFactor(${block} + rightLine${j} % 16u, firstCol + 8u * rightEight${j})`
    : `eightOfFactor(firstCol + rightLine${j}, ${block} + rightEight${j} % 2u * 8u)`;
}

/** Puts both tiles of 16 of the rank into the stages. */
function putLowRank(spec: PipelinedSpec): string {
  const { perLane } = stageLayout(spec);
  const right = (isLow: boolean): string => times(perLane.right, (j) => `rightNext${j} = halfParts(factor${j}, ${isLow});`);
  return wgsl`
    ${times(perLane.left, (j) => `leftNext${j} = halfParts(toRange * h${j}, leftEight${j} >= ${tileDepth / 16}u);`)}
    ${right(false)}
    ${puts(spec, 0).join("\n")}
    ${right(true)}
    ${puts(spec, 1).join("\n")}`;
}

/** A whole stage, not pipelined. */
function multiplied(spec: PipelinedSpec, stage: number): string {
  return times(fragmentsOf(spec).deep, (step) => [...fragments(spec, 0, stage, step), ...multiplications(spec, 0)].join("\n"));
}
