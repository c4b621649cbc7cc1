import {
  adamw8bitHyper,
  adamw8bitMaps,
  adamw8bitStep,
  adamwBlockStep,
  adamwHyperSize,
  type ParameterBucket,
  type Tensor,
} from "@kto/tensor";
import { clipGradients, type AdamWOptions } from "./adamw.js";
import type { Optimizer, StateTensor, StepOptions } from "./optimizer.js";
import { stateReaderOf, wholeState, type StateReader } from "./state-pieces.js";
import { StateBlocks } from "./state-blocks.js";

/** Numbers of AdamW8bit. */
export interface AdamW8bitOptions extends AdamWOptions {
  /** Tensors with fewer elements keep f32 moments; 4,096 as in bitsandbytes. With Infinity all of them do: its AdamW in 32 bits. */
  min8bitSize?: number;
}

/** Moments of a bucket's parameters: in 8 bits, or of small ones in f32. */
type BucketState =
  | { state: StateBlocks; bucketIndex: number; codes: Tensor; absmax: Tensor }
  | { state: StateBlocks; bucketIndex: number; moments: Tensor };

/**
 * bitsandbytes' AdamW8bit on the GPU: the moments are kept as 8-bit codes with a scale for each block of 256 elements, 2.03 bytes a parameter in
 * place of AdamW's 8. Tensors below `min8bitSize` elements and those of a bucket that `isEmbedding` keep f32 moments; a bucket that does not decay has no
 * weight decay. Two dispatches per bucket; nothing is read back.
 *
 *   m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← (p − lr·c₂/c₁ · m / (√v + c₂ε)) · (1 − lr·wd),  c₁ = 1−β₁ᵗ, c₂ = √(1−β₂ᵗ)
 *
 * The decay comes after the step, as in bitsandbytes' CUDA kernels. Owns its state; dispose it.
 *
 * @see arXiv 2110.02861
 */
export class AdamW8bit implements Optimizer {
  readonly kind: "adamw_8bit" | "adamw_32bit";
  /** Trainable parameters, its caller's. */
  readonly parameters: readonly ParameterBucket[];
  /** Steps taken. */
  step = 0;
  readonly #options: Required<AdamWOptions>;
  readonly #states: BucketState[] = [];
  readonly #maps: Tensor;

  constructor(parameters: readonly ParameterBucket[], options: AdamW8bitOptions = {}) {
    const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0, min8bitSize = 4096 } = options;
    this.kind = min8bitSize === Infinity ? "adamw_32bit" : "adamw_8bit";
    this.parameters = parameters;
    this.#options = { beta1, beta2, eps, weightDecay };
    const { device } = parameters[0]!;
    this.#maps = device.unscoped(() => adamw8bitMaps(device));
    parameters.forEach((bucket, bucketIndex) => {
      const sizes = [...bucket.parameters.values()].map(({ size }) => size);
      const codedFrom = bucket.isEmbedding ? Infinity : min8bitSize;
      if (sizes.some((size) => size >= codedFrom)) {
        const state = new StateBlocks(bucket, ({ size }) => size >= codedFrom);
        this.#states.push({ state, bucketIndex, codes: state.addCodes(), absmax: state.addScales() });
      }
      if (sizes.some((size) => size > 0 && size < codedFrom)) {
        const state = new StateBlocks(bucket, ({ size }) => size > 0 && size < codedFrom);
        this.#states.push({ state, bucketIndex, moments: state.addMoments() });
      }
    });
  }

  apply(gradients: readonly ParameterBucket[], { learningRate, maxGradNorm = 0 }: StepOptions): Tensor {
    this.step++;
    const { device } = this.parameters[0]!;
    return device.scope("AdamW8bit", () => {
      const { norm, clip } = clipGradients(gradients, maxGradNorm);
      const hyperFor = (weightDecay: number): Tensor => {
        const numbers = adamw8bitHyper({ ...this.#options, weightDecay, learningRate, step: this.step });
        return device.tensor(numbers, [adamwHyperSize], "f32", "AdamW8bit hyperparameters");
      };
      const kinds = new Set(this.parameters.map(({ decays }) => decays));
      const hypers = new Map(Array.from(kinds, (decays) => [decays, hyperFor(decays ? this.#options.weightDecay : 0)]));
      for (const { state, bucketIndex, ...moments } of this.#states) {
        const hyper = hypers.get(state.bucket.decays)!;
        const shared = { params: state.bucket.flat, grads: gradients[bucketIndex]!.flat, blocks: state.blocks, hyper, clip };
        if ("codes" in moments) adamw8bitStep({ ...shared, ...moments, maps: this.#maps });
        else adamwBlockStep({ ...shared, ...moments });
      }
      return norm;
    });
  }

  stateTensors(): StateTensor[] {
    return this.#states.flatMap(({ state }) => state.stateTensors());
  }

  stateReader(): StateReader {
    return stateReaderOf(this.#states.flatMap(({ state }) => state.statePlaces()));
  }

  readState(): Promise<Map<string, Uint8Array>> {
    return wholeState(this.stateTensors(), this.stateReader());
  }

  writeState(state: ReadonlyMap<string, Uint8Array>): void {
    for (const { state: blocks } of this.#states) blocks.writeState(state);
  }

  dispose(): void {
    this.#maps.dispose();
    for (const { state } of this.#states) state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
