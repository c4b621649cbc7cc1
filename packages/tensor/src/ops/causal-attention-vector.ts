import type { Device } from "../device/device.js";
import type { Way } from "../autograd/ways.js";
import type { FloatDtype } from "../dtype.js";
import { attentionDkDvKernel, attentionDqKernel } from "../kernels/attention-backward.wgsl.js";
import { attentionStatisticsKernel } from "../kernels/attention-statistics.wgsl.js";
import { attentionKernel } from "../kernels/attention.wgsl.js";
import { always } from "../kernels/define-kernel.js";
import type { AttentionShape } from "../kernels/lib/attention.js";
import type { HeadShape } from "../kernels/lib/attention-matrix.js";
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

/** On vectors, which every device has. */
export const vectorAttention: Way<AttentionProblem, AttentionPasses> = { name: "vector", when: always, record: { forward, backward } };

function forward(device: Device, { q, k, v, starts, lastKeys, spans, out, logSumExp }: AttentionForward, heads: HeadShape): void {
  attentionKernel.run(
    device,
    { q, k, v, starts, lastKeys: lastKeys ?? starts, spans: spans ?? starts, out, logSumExp },
    { numTokens: q.shape[0]!, numKeys: k.shape[0]! },
    {
      ...heads,
      vector: vectorOf(heads),
      inputType: q.dtype as FloatDtype,
      dtype: out.dtype as FloatDtype,
      queries: lastKeys ? "last" : "all",
      hasGaps: spans !== undefined,
    },
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
  const shape: AttentionShape = { ...heads, vector: vectorOf(heads) };
  const spec = { ...shape, inputType: q.dtype as FloatDtype, hasGaps: saved.spans !== undefined };
  const numTokens = q.shape[0]!;
  const statistics = device.rowsLike(q, [numTokens, heads.numHeads, 2], "f32", "attentionStatistics");
  attentionStatisticsKernel.run(
    device,
    { out, dOut, logSumExp, statistics },
    { numTokens },
    { ...shape, outType: out.dtype as FloatDtype },
  );
  const gradients: AttentionGradients = {};
  if (needs.q) {
    gradients.dq = device.rowsLike(q, q.shape, "f32", "dq");
    attentionDqKernel.run(device, { q, k, v, starts, spans, dOut, statistics, dq: gradients.dq }, { numTokens }, spec);
  }
  if (needs.k || needs.v) {
    // One storage for both keeps the kernel within the eight buffers that every device binds.
    const valueOffset = alignedSize(k.size);
    const dKeyValue = device.rowsLike(k, keyValueShape(k), "f32", "dKeyValue");
    const vectorSize = shape.vector === "vec4" ? 4 : 2;
    attentionDkDvKernel.run(
      device,
      { q, k, v, starts, ends, spans, dOut, statistics, dKeyValue },
      { numTokens, valueOffset: valueOffset / vectorSize },
      spec,
    );
    gradients.dk = device.viewOf(dKeyValue, k.shape, 0, "dk");
    gradients.dv = device.viewOf(dKeyValue, v.shape, 4 * valueOffset, "dv");
  }
  return gradients;
}

function vectorOf({ headDim }: HeadShape): "vec4" | "vec2" {
  return headDim % 4 === 0 ? "vec4" : "vec2";
}
