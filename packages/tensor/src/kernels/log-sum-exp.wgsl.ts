import { defineKernel, read, write, always, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { reduceEnables, reduceMax, reduceSum, type Reduce } from "./lib/reduce.js";
import { rowVariants } from "./lib/row-variants.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { wgsl } from "./wgsl.js";

/** Numbers kept per row between chunks of the vocabulary: max, sum, tilt, total, label logit, argmax, squares and one unused. */
export const softmaxStateSize = 8;

/**
 * Brings the state of each row up to date with the logits z of one chunk:
 *   max = max z,  sum = Σ e^(z − max),  and with `metrics` tilt = Σ e^(z − max) · (z − max),  total = Σ z,  argmax (the lowest index of the max);
 *   and with `squares` squares = Σ e^(2 (z − max));  the label's logit, if it is in the chunk.  A workgroup, or a lane, per row; two passes, sums in f32 blocks.
 */
export type LogSumExpSpec = { metrics: boolean; squares: boolean; workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const logSumExpKernel: Kernel<LogSumExpSpec, "logits" | "labels" | "state", "numRows" | "rowSize" | "firstId" | "isFirstChunk"> =
  defineKernel<LogSumExpSpec>()({
    name: "logSumExp",
    bindings: { logits: read("f32"), labels: read("u32"), state: write("f32") },
    params: { numRows: "u32", rowSize: "u32", firstId: "u32", isFirstChunk: "u32" },
    variants: rowVariants<LogSumExpSpec>(),
    cost: ({ numRows, rowSize }) => ({ bytes: 4 * numRows * rowSize, flops: 4 * numRows * rowSize }),
    grid: ({ numRows }, spec) => rowGrid(numRows, spec),
    enables: reduceEnables,
    examples: [
      { metrics: false, squares: false },
      { metrics: true, squares: false },
      { metrics: true, squares: true },
    ],
    wgsl: (spec) => wgsl`
    ${reduceMax(spec)}
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      let base = row * params.rowSize;
      var best = -3.4e38;
      var bestCol = 0u;
      for (var col = firstCol; col < params.rowSize; col += colStep) {
        let z = logits[base + col];
        if (z > best) { best = z; bestCol = col; }
      }
      let chunkMax = reduceMax(best, lane);
      ${blockedSum({
        sums: {
          sumPart: "e",
          ...(spec.metrics && { tiltPart: "e * offset", totalPart: "z" }),
          ...(spec.squares && { squaresPart: "e * e" }),
        },
        index: "col",
        from: "firstCol",
        to: "params.rowSize",
        step: "colStep",
        before: "let z = logits[base + col];\nlet offset = z - chunkMax;\nlet e = exp(offset);",
      })}
      let chunkSum = reduceSum(sumPart, lane);
      ${spec.metrics ? metricsOfChunk : ""}
      ${spec.squares ? "let chunkSquares = reduceSum(squaresPart, lane);" : ""}
      if (firstCol != 0u) { return; }

      let at = row * ${softmaxStateSize}u;
      let label = labels[row];
      if (label >= params.firstId && label < params.firstId + params.rowSize) { state[at + 4u] = logits[base + label - params.firstId]; }
      let isFirst = params.isFirstChunk != 0u;
      let oldMax = select(state[at], chunkMax, isFirst);
      let oldSum = select(state[at + 1u], 0.0, isFirst);
      let newMax = max(oldMax, chunkMax);
      let oldShift = oldMax - newMax;
      let chunkShift = chunkMax - newMax;
      let oldScale = exp(oldShift);
      let chunkScale = exp(chunkShift);
      state[at] = newMax;
      state[at + 1u] = oldSum * oldScale + chunkSum * chunkScale;
      ${spec.metrics ? metricsOfState : ""}
      ${spec.squares ? squaresOfState : ""}
    }`,
  });

const metricsOfChunk = wgsl`
  let chunkTilt = reduceSum(tiltPart, lane);
  let chunkTotal = reduceSum(totalPart, lane);
  let chunkArgmax = params.firstId + u32(-reduceMax(select(-3.4e38, -f32(bestCol), best == chunkMax), lane));`;

const metricsOfState = wgsl`
  let oldTilt = select(state[at + 2u], 0.0, isFirst);
  let oldTotal = select(state[at + 3u], 0.0, isFirst);
  let oldArgmax = select(bitcast<u32>(state[at + 5u]), chunkArgmax, isFirst);
  state[at + 2u] = oldScale * (oldTilt + oldSum * oldShift) + chunkScale * (chunkTilt + chunkSum * chunkShift);
  state[at + 3u] = oldTotal + chunkTotal;
  state[at + 5u] = bitcast<f32>(select(oldArgmax, chunkArgmax, chunkMax > oldMax));`;

const squaresOfState = wgsl`
  let oldSquares = select(state[at + 6u], 0.0, isFirst);
  state[at + 6u] = oldSquares * oldScale * oldScale + chunkSquares * chunkScale * chunkScale;`;

/** A kernel of one thread per row, over the state of rows that are done. */
export type RowStateSpec = { workgroupSize: number };

const threadPerRow = {
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  grid: ({ numRows }: { numRows: number }, { workgroupSize }: RowStateSpec) => oneThreadPer(numRows, workgroupSize),
  examples: [{}],
};

/** Statements that define the `row` of this thread and where its state begins, `at`, and leave where there is no row. */
const rowOfThread = wgsl`
  let row = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
  if (row >= params.numRows) { return; }
  let at = row * ${softmaxStateSize}u;`;

/** logProbs[row] = labelLogit − max − ln(sum),  logSumExp[row] = max + ln(sum).  One thread per row. */
export const logProbsKernel: Kernel<RowStateSpec, "state" | "logProbs" | "logSumExp", "numRows"> = defineKernel<RowStateSpec>()({
  ...threadPerRow,
  name: "logProbs",
  bindings: { state: read("f32"), logProbs: write("f32"), logSumExp: write("f32") },
  params: { numRows: "u32" },
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      ${rowOfThread}
      let logSum = log(state[at + 1u]);
      logProbs[row] = state[at + 4u] - state[at] - logSum;
      logSumExp[row] = state[at] + logSum;
    }`,
});

/** entropy[row] = ln(sum) − tilt / sum (nats),  meanLogit[row] = total / vocabSize,  argmax[row].  One thread per row. */
export const logitMetricsKernel: Kernel<RowStateSpec, "state" | "entropy" | "meanLogit" | "argmax", "numRows" | "vocabSize"> =
  defineKernel<RowStateSpec>()({
    ...threadPerRow,
    name: "logitMetrics",
    bindings: { state: read("f32"), entropy: write("f32"), meanLogit: write("f32"), argmax: write("u32") },
    params: { numRows: "u32", vocabSize: "u32" },
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      ${rowOfThread}
      let sum = state[at + 1u];
      entropy[row] = log(sum) - state[at + 2u] / sum;
      meanLogit[row] = state[at + 3u] / f32(params.vocabSize);
      argmax[row] = bitcast<u32>(state[at + 5u]);
    }`,
  });

/** collisionEntropy[row] = 2 ln(sum) − ln(squares) (nats).  One thread per row. */
export const collisionEntropyKernel: Kernel<RowStateSpec, "state" | "collisionEntropy", "numRows"> = defineKernel<RowStateSpec>()({
  ...threadPerRow,
  name: "collisionEntropy",
  bindings: { state: read("f32"), collisionEntropy: write("f32") },
  params: { numRows: "u32" },
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      ${rowOfThread}
      collisionEntropy[row] = 2.0 * log(state[at + 1u]) - log(state[at + 6u]);
    }`,
});
