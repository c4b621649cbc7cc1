import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import type { AttentionMatrixSpec, HeadShape } from "../kernels/lib/attention-matrix.js";
import {
  attentionGroupSumKernel,
  attentionMatrixDkDvKernel,
  attentionMatrixDqKernel,
  attentionMatrixGradientKernel,
  attentionMatrixStatisticsKernel,
} from "../kernels/attention-matrix-backward.wgsl.js";
import { attentionMatrixKernel } from "../kernels/attention-matrix.wgsl.js";
import type { Kernel } from "../kernels/define-kernel.js";
import type { Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** What the backward pass of attention reads. */
export interface AttentionSaved {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  out: Tensor;
  logSumExp: Tensor;
  starts: Tensor;
  ends: Tensor;
}

/** What it gives, f32; those that are needed. */
export interface AttentionGradients {
  dq?: Tensor;
  dk?: Tensor;
  dv?: Tensor;
}

/** True where the forward pass runs on matrix units: f16 inputs, a device that has them, and no other kernel forced. */
export function forwardUsesMatrices(device: Device, shape: HeadShape, inputType: FloatDtype): boolean {
  return usesMatrices(device, shape, inputType, attentionMatrixKernel, "attention");
}

/** The same for the backward pass. */
export function backwardUsesMatrices(device: Device, shape: HeadShape, inputType: FloatDtype): boolean {
  return (
    usesMatrices(device, shape, inputType, attentionMatrixDqKernel, "attentionDq") &&
    usesMatrices(device, shape, inputType, attentionMatrixDkDvKernel, "attentionDkDv")
  );
}

function usesMatrices<S extends AttentionMatrixSpec>(
  device: Device,
  shape: HeadShape,
  inputType: FloatDtype,
  kernel: Kernel<S, never, never>,
  otherKernel: string,
): boolean {
  if (inputType !== "f16") return false;
  if (device.recorder.variants.has(kernel.name)) return true;
  return (
    !device.recorder.variants.has(otherKernel) &&
    kernel.variants.some((variant) => variant.when(device.capabilities, { ...variant.spec, ...shape } as S))
  );
}

/** Records the forward pass; out and logSumExp as in `causalAttention`. */
export function matrixForward(
  device: Device,
  { q, k, v, starts, lastKeys }: { q: Tensor; k: Tensor; v: Tensor; starts: Tensor; lastKeys: Tensor | undefined },
  shape: HeadShape,
  out: Tensor,
  logSumExp: Tensor,
): void {
  attentionMatrixKernel.run(
    device,
    { q, k, v, starts, lastKeys: lastKeys ?? starts, out, logSumExp },
    { numTokens: q.shape[0]!, numKeys: k.shape[0]! },
    { ...shape, outVector: vectorOf(out), queries: lastKeys ? "last" : "all" },
  );
}

/** Records the backward pass. Gradients are f32. */
export function matrixBackward(
  device: Device,
  saved: AttentionSaved,
  dOut: Tensor,
  needs: { q: boolean; k: boolean; v: boolean },
  shape: HeadShape,
): AttentionGradients {
  const { q, k, v, out, logSumExp, starts, ends } = saved;
  const { numHeads, numKeyValueHeads, headDim } = shape;
  const numTokens = q.shape[0]!;
  const numRows = numTokens * numHeads;
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
    attentionMatrixDqKernel.run(device, { q, k, v, starts, dOut: half, statistics, dq: gradients.dq }, { numTokens }, { ...shape });
  }
  if (needs.k || needs.v) {
    const perHead = device.rowsLike(q, [numTokens, 2 * numHeads * headDim], "f32", "dk and dv of each query head"); // all dk, then all dv
    attentionMatrixDkDvKernel.run(
      device,
      { q, k, v, starts, ends, dOut: half, statistics, dKeyValue: perHead },
      { numTokens, valueOffset: q.size },
      { ...shape },
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

/** Rows of dk and dv, with room for dv to start where a tensor may. */
export function keyValueShape({ shape, size }: Tensor): Shape {
  const numTokens = shape[0]!;
  const most = Math.max(1, numTokens); // without tokens there is nothing to make room for
  return [numTokens, (2 * size) / most + Math.ceil(63 / most)];
}

/** f32 elements rounded up to 256 bytes, where a tensor may start. */
export function alignedSize(size: number): number {
  return Math.ceil(size / 64) * 64;
}

function vectorOf({ dtype }: Tensor): "vec4<u32>" | "vec4<f32>" {
  return dtype === "f16" ? "vec4<u32>" : "vec4<f32>";
}
