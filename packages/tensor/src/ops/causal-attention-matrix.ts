import type { Device } from "../device/device.js";
import type { Capabilities } from "../device/capabilities.js";
import type { Way } from "../autograd/ways.js";
import { isMatrixHeadDim, type AttentionMatrixSpec, type HeadShape } from "../kernels/lib/attention-matrix.js";
import { attentionGroupSumKernel } from "../kernels/attention-group-sum.wgsl.js";
import { attentionMatrixDkDvKernel, attentionMatrixDqKernel } from "../kernels/attention-matrix-backward.wgsl.js";
import { attentionMatrixGradientKernel, attentionMatrixStatisticsKernel } from "../kernels/attention-matrix-statistics.wgsl.js";
import { attentionMatrixKernel } from "../kernels/attention-matrix.wgsl.js";
import type { Variant } from "../kernels/define-kernel.js";
import type { Tensor } from "../tensor.js";
import {
  alignedSize,
  keyValueShape,
  type AttentionForward,
  type AttentionGradients,
  type AttentionPasses,
  type AttentionProblem,
  type AttentionSaved,
} from "./causal-attention-ways.js";

/** On matrix units, which take f16; sums in f32. */
export const matrixAttention: Way<AttentionProblem, AttentionPasses> = {
  name: "matrix",
  lacks(_capabilities, { heads: { headDim }, inputType }) {
    if (inputType !== "f16") return `expected q, k and v in f16, got ${inputType}`;
    return isMatrixHeadDim(headDim) ? undefined : `expected a headDim that is a multiple of 32, at most 128, got ${headDim}`;
  },
  when: (capabilities, { direction, heads }) =>
    direction === "forward"
      ? fits(attentionMatrixKernel, capabilities, heads)
      : fits(attentionMatrixDqKernel, capabilities, heads) && fits(attentionMatrixDkDvKernel, capabilities, heads),
  record: { forward, backward },
};

function fits<S extends AttentionMatrixSpec>(
  { variants }: { variants: readonly Variant<S>[] },
  capabilities: Capabilities,
  heads: HeadShape,
): boolean {
  return variants.some(({ when, spec }) => when(capabilities, { ...spec, ...heads } as S));
}

function forward(device: Device, { q, k, v, starts, lastKeys, spans, out, logSumExp }: AttentionForward, heads: HeadShape): void {
  attentionMatrixKernel.run(
    device,
    { q, k, v, starts, lastKeys: lastKeys ?? starts, spans: spans ?? starts, out, logSumExp },
    { numTokens: q.shape[0]!, numKeys: k.shape[0]! },
    { ...heads, outVector: vectorOf(out), queries: lastKeys ? "last" : "all", hasGaps: spans !== undefined },
  );
}

function backward(
  device: Device,
  saved: AttentionSaved,
  dOut: Tensor,
  needs: { q: boolean; k: boolean; v: boolean },
  heads: HeadShape,
): AttentionGradients {
  const { q, k, v, out, logSumExp, starts, ends } = saved;
  const spans = saved.spans ?? starts; // not bound without gaps
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const numTokens = q.shape[0]!;
  const numRows = numTokens * numHeads;
  const spec = { ...heads, hasGaps: saved.spans !== undefined };
  const statistics = device.empty([numRows + 1, 2], "f32", "attentionStatistics");
  const peak = device.zeros([1], "u32", "peak of dOut");
  attentionMatrixStatisticsKernel.run(
    device,
    { out, dOut, logSumExp, statistics, peak },
    { numRows },
    { numHeads, headDim, outVector: vectorOf(out) },
  );
  const half = device.rowsLike(q, dOut.shape, "f16", "dOut in f16");
  attentionMatrixGradientKernel.run(device, { dOut, peak, half, statistics }, { size: dOut.size, numRows }, {});

  const gradients: AttentionGradients = {};
  if (needs.q) {
    gradients.dq = device.rowsLike(q, q.shape, "f32", "dq");
    attentionMatrixDqKernel.run(device, { q, k, v, starts, spans, dOut: half, statistics, dq: gradients.dq }, { numTokens }, spec);
  }
  if (needs.k || needs.v) {
    const perHead = device.rowsLike(q, [numTokens, 2 * numHeads * headDim], "f32", "dk and dv of each query head"); // all dk, then all dv
    attentionMatrixDkDvKernel.run(
      device,
      { q, k, v, starts, ends, spans, dOut: half, statistics, dKeyValue: perHead },
      { numTokens, valueOffset: q.size },
      spec,
    );
    const valueOffset = alignedSize(k.size);
    const dKeyValue = device.rowsLike(k, keyValueShape(k), "f32", "dKeyValue");
    const groupSize = numHeads / numKeyValueHeads;
    attentionGroupSumKernel.run(
      device,
      { x: perHead, y: dKeyValue },
      { numTokens, xOffset: q.size, yOffset: valueOffset },
      { numKeyValueHeads, groupSize, headDim },
    );
    gradients.dk = device.viewOf(dKeyValue, k.shape, 0, "dk");
    gradients.dv = device.viewOf(dKeyValue, v.shape, 4 * valueOffset, "dv");
  }
  return gradients;
}

function vectorOf({ dtype }: Tensor): "vec4<u32>" | "vec4<f32>" {
  return dtype === "f16" ? "vec4<u32>" : "vec4<f32>";
}
