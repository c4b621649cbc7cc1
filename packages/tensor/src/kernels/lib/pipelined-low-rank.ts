import { wgsl } from "../wgsl.js";
import { factorScale, halfParts, rangeOf } from "./half-parts.js";
import { fragments, fragmentsOf, multiplications } from "./pipelined-fragments.js";
import { list, puts, stageLayout, tileDepth, type PipelinedSpec } from "./pipelined-tiles.js";
import { reduceMax } from "./reduce.js";
import { matrixCalls } from "./subgroup-matrix.js";
import { times } from "./unroll.js";

/** `fn eightOfH`, `fn eightOfFactor` and what makes f16 of them. */
export function lowRankFunctions(spec: PipelinedSpec): string {
  const acrossRows = spec.order === "columns";
  return wgsl`
    ${reduceMax(spec)}
    ${halfParts}
    // Eight of a row of h, zeros past its end.
    fn eightOfH(row: u32, first: u32) -> mat2x4<f32> {
      let place = (min(row, params.m - 1u) * params.rank + min(first, params.rank - 8u)) / 4u;
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
 * scale · h · factorᵀ (or h · factor, where b is [k, n]) before everything else: sums of f16 products of f32 in two parts, for each 16 of the rank one tile
 * [high | low] · [high | high] and one [high | low] · [low | low]. h is first brought to 2¹⁴ at most by a power of two, that of the workgroup's rows, since a
 * gradient may have any size; its error is then 2⁻²² of the largest.
 */
export function lowRankTiles(spec: PipelinedSpec): string {
  const { perLane } = stageLayout(spec);
  const { down, across, deep } = fragmentsOf(spec);
  const left = list(perLane.left, (j) => `eightOfH(firstRow + leftLine${j}, block + leftEight${j} % 2u * 8u)`);
  const right = list(perLane.right, (j) =>
    spec.order === "columns"
      ? `eightOfFactor(block + rightLine${j} % 16u, firstCol + 8u * rightEight${j})`
      : `eightOfFactor(firstCol + rightLine${j}, block + rightEight${j} % 2u * 8u)`,
  );
  const { scaled } = matrixCalls(spec.matrix);
  const isLow = (j: number): string => `leftEight${j} >= ${tileDepth / 16}u`;
  return wgsl`
    var largest = 0.0;
    for (var block = 0u; block < params.rank; block += 16u) {
      ${left.map((eight) => `largest = max(largest, largestOf(${eight}));`).join("\n")}
    }
    ${rangeOf("reduceMax(largest, lane)")}
    for (var block = 0u; block < params.rank; block += 16u) {
      workgroupBarrier();
      ${left.map((eight, j) => `leftNext${j} = halfParts(toRange * ${eight}, ${isLow(j)});`).join("\n")}
      ${right.map((eight, j) => `let factor${j} = ${eight};\nrightNext${j} = halfParts(factor${j}, false);`).join("\n")}
      ${puts(spec, 0).join("\n")}
      ${right.map((_, j) => `rightNext${j} = halfParts(factor${j}, true);`).join("\n")}
      ${puts(spec, 1).join("\n")}
      workgroupBarrier();
      ${times(2, (stage) => times(deep, (step) => [...fragments(spec, 0, stage, step), ...multiplications(spec, 0)].join("\n")))}
    }
    let toResult = params.lowRankScale * fromRange / ${factorScale}.0;
    ${times(down, (i) => times(across, (j) => `sum${i}_${j} = ${scaled(`sum${i}_${j}`, "toResult")};`))}
    workgroupBarrier();`;
}
