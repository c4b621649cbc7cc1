import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import type { HeadShape } from "../kernels/lib/attention-matrix.js";
import type { Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** What the choice between the ways of attention depends on. */
export interface AttentionProblem {
  direction: "forward" | "backward";
  heads: HeadShape;
  /** dtype of q, k and v. */
  inputType: FloatDtype;
}

/** What a way of attention records. */
export interface AttentionPasses {
  /** Fills out and logSumExp. */
  forward(device: Device, tensors: AttentionForward, heads: HeadShape): void;
  /** Gradients of those of q, k and v that are needed. */
  backward(
    device: Device,
    saved: AttentionSaved,
    dOut: Tensor,
    needs: { q: boolean; k: boolean; v: boolean },
    heads: HeadShape,
  ): AttentionGradients;
}

/** What the forward pass reads and writes, as in `causalAttention`. */
export interface AttentionForward {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  starts: Tensor;
  lastKeys: Tensor | undefined;
  spans: Tensor | undefined;
  /** [numTokens, numHeads · headDim], f32 or f16 */
  out: Tensor;
  /** [numTokens, numHeads] f32 */
  logSumExp: Tensor;
}

/** What the backward pass reads. */
export interface AttentionSaved {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  out: Tensor;
  logSumExp: Tensor;
  starts: Tensor;
  ends: Tensor;
  spans?: Tensor;
}

/** What it gives, f32; those that are needed. */
export interface AttentionGradients {
  dq?: Tensor;
  dk?: Tensor;
  dv?: Tensor;
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
