import { ShapeError } from "../errors.js";
import { adamwKernel } from "../kernels/adamw.wgsl.js";
import { clipFactorKernel, rootSumKernel, sumSquaresKernel } from "../kernels/grad-norm.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Numbers of one AdamW step. */
export interface AdamwHyperparameters {
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** 1 for the first step taken. */
  step: number;
}

/** Elements of the `hyper` tensor. */
export const adamwHyperSize = 8;

/** Contents of the `hyper` tensor of a step. What torch computes in double and rounds once is computed here, in double. */
export function adamwHyper({ learningRate, beta1, beta2, eps, weightDecay, step }: AdamwHyperparameters): Float32Array<ArrayBuffer> {
  const stepSize = learningRate / (1 - beta1 ** step);
  return new Float32Array([1 - learningRate * weightDecay, stepSize, 1 - beta1, beta2, 1 - beta2, Math.sqrt(1 - beta2 ** step), eps, 0]);
}

/** Tensors of an AdamW step. All are f32; `params`, `grads`, `m` and `v` have the same number of elements. */
export interface AdamwStep {
  /** changed in place */
  params: Tensor;
  grads: Tensor;
  /** first moment, changed in place */
  m: Tensor;
  /** second moment, changed in place */
  v: Tensor;
  /** [8], written by the caller from `adamwHyper` */
  hyper: Tensor;
  /** [1], from `clipFactor`; gradients are multiplied by it. A negative one leaves everything unchanged. Without it they are taken as they are. */
  clip?: Tensor;
}

/**
 * One AdamW step (decoupled decay first, as in torch), outside the tape.
 *
 *   p ← p · (1 − lr·wd);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p − lr/(1−β₁ᵗ) · m / (√v / √(1−β₂ᵗ) + ε)
 *
 * Throws ShapeError if sizes differ.
 */
export function adamwStep({ params, grads, m, v, hyper, clip }: AdamwStep): void {
  for (const [name, tensor] of Object.entries({ params, grads, m, v, hyper })) {
    expectDtype("adamwStep", name, tensor, "f32");
    if (name !== "hyper" && tensor.size !== params.size)
      throw new ShapeError(`adamwStep: sizes differ; expected ${params.size} elements in ${name}, got ${tensor.size}`);
  }
  expectShape("adamwStep", "hyper", hyper, [adamwHyperSize]);
  adamwKernel.run(
    params.device,
    { weights: params, grads, m, v, hyper, clip: clip ?? hyper },
    { size: params.size },
    { hasClip: clip !== undefined },
  );
}

/** Elements that one workgroup, or lane, squares and adds in the first stage. */
const blockSize = 4096;

/** L2 norm of all elements of all tensors together, outside the tape: f32 → [1] f32. The order of adding is fixed. Throws ShapeError without tensors. */
export function gradNorm(grads: Tensor[]): Tensor {
  const device = grads[0]?.device;
  if (!device) throw new ShapeError("gradNorm: needs at least one tensor");
  return device.scope("gradNorm", () => {
    const blocks = grads.map((grad) => Math.ceil(grad.size / blockSize));
    const numParts = blocks.reduce((total, count) => total + count, 0);
    const part = device.empty([numParts], "f32", "gradNorm parts");
    let partOffset = 0;
    grads.forEach((x, index) => {
      expectDtype("gradNorm", "grads", x, "f32");
      sumSquaresKernel.run(device, { x, part }, { numRows: blocks[index]!, rowSize: blockSize, size: x.size, partOffset }, {});
      partOffset += blocks[index]!;
    });
    const norm = device.empty([1], "f32", "gradNorm");
    rootSumKernel.run(device, { part, norm }, { numRows: 1, rowSize: numParts }, {});
    return norm;
  });
}

/** Factor of gradient clipping, min(1, maxNorm / (norm + 1e-6)), or −1, which makes `adamwStep` do nothing, if the norm is not finite. [1] f32 → [1] f32. */
export function clipFactor(norm: Tensor, maxNorm: number): Tensor {
  expectShape("clipFactor", "norm", norm, [1]);
  const factor = norm.device.empty([1], "f32", "clipFactor");
  clipFactorKernel.run(norm.device, { norm, factor }, { maxNorm }, {});
  return factor;
}
