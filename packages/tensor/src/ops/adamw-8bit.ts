import type { Device } from "../device/device.js";
import { dynamicMap, dynamicMapMidpoints } from "../dynamic-map.js";
import { ShapeError } from "../errors.js";
import { adamw8bitKernel, adamwBlocksKernel } from "../kernels/adamw-8bit.wgsl.js";
import { stateBlockSize } from "../kernels/lib/adamw-blocks.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { adamwHyperSize, type AdamwHyperparameters } from "./adamw.js";

/**
 * Contents of the `hyper` tensor of a step: β₁, 1−β₁, β₂, 1−β₂, −lr·c₂/c₁, c₂·ε, 1−lr·wd, 0 with c₁ = 1−β₁ᵗ, c₂ = √(1−β₂ᵗ). As in bitsandbytes the
 * betas are f32 before they are used; everything after that is computed in double and rounded once.
 */
export function adamw8bitHyper({ learningRate, beta1, beta2, eps, weightDecay, step }: AdamwHyperparameters): Float32Array<ArrayBuffer> {
  const [b1, b2] = [Math.fround(beta1), Math.fround(beta2)];
  const correction1 = 1 - b1 ** step;
  const correction2 = Math.sqrt(1 - b2 ** step);
  const stepSize = (-learningRate * correction2) / correction1;
  return Float32Array.of(b1, 1 - b1, b2, 1 - b2, stepSize, correction2 * eps, 1 - learningRate * weightDecay, 0);
}

/** Elements of the `maps` tensor. */
const mapsSize = 1024;

/** The `maps` tensor of `adamw8bitStep`: entries of the signed and the unsigned map, then the midpoints between them. [1024] f32. */
export function adamw8bitMaps(device: Device): Tensor {
  const [signed, unsigned] = [dynamicMap("signed"), dynamicMap("unsigned")];
  const numbers = new Float32Array(mapsSize);
  [signed, unsigned, dynamicMapMidpoints(signed), dynamicMapMidpoints(unsigned)].forEach((part, index) => numbers.set(part, 256 * index));
  return device.tensor(numbers, [mapsSize], "f32", "8-bit maps");
}

/** What both kinds of step take. Elements outside all blocks are left alone. */
export interface AdamwBlockTensors {
  /** [n] f32, n a multiple of 4, changed in place */
  params: Tensor;
  /** [n] f32 */
  grads: Tensor;
  /** [numBlocks, 2] u32: first element of each block in `params`, a multiple of 4, and its number of elements, at most 256 */
  blocks: Tensor;
  /** [8], written by the caller from `adamw8bitHyper` */
  hyper: Tensor;
  /** [1], from `clipFactor`; gradients are multiplied by it. A negative one leaves everything unchanged. Without it they are taken as they are. */
  clip?: Tensor | undefined;
}

/** Tensors of a step on moments of 8 bits. */
export interface Adamw8bitStep extends AdamwBlockTensors {
  /** [2, numBlocks, 64] u32, four codes in each: of the first moments, then of the second; changed in place. Zero before the first step. */
  codes: Tensor;
  /** [2, numBlocks] f32, the scales of the codes, changed in place. Zero before the first step. */
  absmax: Tensor;
  /** [1024], from `adamw8bitMaps` */
  maps: Tensor;
}

/**
 * One step of bitsandbytes' AdamW8bit, outside the tape: AdamW whose moments are kept as 8-bit codes with a scale for each block of 256 elements.
 *
 *   m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← (p − lr·c₂/c₁ · m / (√v + c₂ε)) · (1 − lr·wd);  m, v are then stored in 8 bits
 *
 * An element whose gradient is not finite keeps its value, and its moments become zero. Throws ShapeError if sizes differ.
 */
export function adamw8bitStep({ codes, absmax, maps, ...tensors }: Adamw8bitStep): void {
  const numBlocks = checkBlocks("adamw8bitStep", tensors);
  expectDtype("adamw8bitStep", "codes", codes, "u32");
  expectDtype("adamw8bitStep", "absmax", absmax, "f32");
  expectDtype("adamw8bitStep", "maps", maps, "f32");
  expectShape("adamw8bitStep", "codes", codes, [2, numBlocks, stateBlockSize / 4]);
  expectShape("adamw8bitStep", "absmax", absmax, [2, numBlocks]);
  expectShape("adamw8bitStep", "maps", maps, [mapsSize]);
  const { params: weights, grads, blocks, hyper, clip } = tensors;
  adamw8bitKernel.run(
    weights.device,
    { weights, grads, blocks, maps, codes, absmax, hyper, clip: clip ?? hyper },
    { numBlocks, zero: 0 },
    { hasClip: clip !== undefined },
  );
}

/** Tensors of a step on f32 moments that lie in blocks. */
export interface AdamwBlockStep extends AdamwBlockTensors {
  /** [2, numBlocks, 256] f32, first moments, then second; changed in place. Zero before the first step. */
  moments: Tensor;
}

/** The step of `adamw8bitStep` on f32 moments, for parameters too small for codes. Throws ShapeError if sizes differ. */
export function adamwBlockStep({ moments, ...tensors }: AdamwBlockStep): void {
  const numBlocks = checkBlocks("adamwBlockStep", tensors);
  expectDtype("adamwBlockStep", "moments", moments, "f32");
  expectShape("adamwBlockStep", "moments", moments, [2, numBlocks, stateBlockSize]);
  const { params: weights, grads, blocks, hyper, clip } = tensors;
  adamwBlocksKernel.run(
    weights.device,
    { weights, grads, blocks, moments, hyper, clip: clip ?? hyper },
    { numBlocks, zero: 0 },
    { hasClip: clip !== undefined },
  );
}

/** Checks what both steps take; gives the number of blocks. */
function checkBlocks(op: string, { params, grads, blocks, hyper, clip }: AdamwBlockTensors): number {
  for (const [name, tensor] of Object.entries({ params, grads, hyper })) expectDtype(op, name, tensor, "f32");
  expectDtype(op, "blocks", blocks, "u32");
  if (params.size % 4 !== 0) throw new ShapeError(`${op}: params: expected a number of elements that 4 divides, got ${params.size}`);
  if (grads.size !== params.size) throw new ShapeError(`${op}: sizes differ; expected ${params.size} elements in grads, got ${grads.size}`);
  const numBlocks = blocks.shape[0] ?? 0;
  expectShape(op, "blocks", blocks, [numBlocks, 2]);
  expectShape(op, "hyper", hyper, [adamwHyperSize]);
  if (clip) {
    expectDtype(op, "clip", clip, "f32");
    expectShape(op, "clip", clip, [1]);
  }
  return numBlocks;
}
