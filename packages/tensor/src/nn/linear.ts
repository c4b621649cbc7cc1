import type { FloatDtype } from "../dtype.js";
import { gemm } from "../ops/gemm.js";
import { linear } from "../ops/linear.js";
import type { Tensor } from "../tensor.js";
import type { LinearShape } from "./module-tree.js";

/** What a linear layer hands its f32 accumulator to before the one rounding: LoRA, for example. */
export interface LinearAdapter {
  /**
   * @param base  [T, outFeatures] f32, the layer's product and bias, not rounded
   * @param x     [T, inFeatures], the layer's input
   * @returns     [T, outFeatures] in `dtype`
   */
  apply(base: Tensor, x: Tensor, options: { dtype: FloatDtype }): Tensor;
  /** False if it would return the base unchanged; the layer then rounds its own product. */
  readonly isActive: boolean;
}

/** A matrix of low rank, scale · b · a. */
export interface LowRankDelta {
  /** [r, inFeatures] f32 */
  a: Tensor;
  /** [outFeatures, r] f32 */
  b: Tensor;
  scale: number;
}

/** Anything that maps [T, inFeatures] to [T, outFeatures] and can carry an adapter. */
export interface LinearModule extends LinearShape {
  adapter: LinearAdapter | undefined;
  forward(x: Tensor, options: { dtype: FloatDtype }): Tensor;
  /** Adds to the weight for good, where the layer can: sums in f32, rounded to the weight's dtype. */
  addToWeight?(delta: LowRankDelta): void | Promise<void>;
}

/** y = x · weightᵀ + bias, with an optional adapter on the accumulator. Owns nothing: the model owns the weights. */
export class Linear implements LinearModule {
  /** [outFeatures, inFeatures] */
  readonly weight: Tensor;
  /** [outFeatures] f32 */
  readonly bias: Tensor | undefined;
  adapter: LinearAdapter | undefined = undefined;

  constructor(weight: Tensor, bias?: Tensor) {
    this.weight = weight;
    this.bias = bias;
  }

  get inFeatures(): number {
    return this.weight.shape[1]!;
  }

  get outFeatures(): number {
    return this.weight.shape[0]!;
  }

  /** @param x [T, inFeatures] → [T, outFeatures] in `dtype` */
  forward(x: Tensor, { dtype }: { dtype: FloatDtype }): Tensor {
    if (!this.adapter?.isActive) return linear(x, this.weight, this.bias, { dtype });
    return this.adapter.apply(linear(x, this.weight, this.bias, { dtype: "f32" }), x, { dtype });
  }

  /** weight ← weight + scale · b · a, in place: product and sum in f32, one rounding to the weight's dtype. */
  addToWeight({ a, b, scale }: LowRankDelta): void {
    gemm({
      a: b,
      b: a,
      c: this.weight,
      m: this.outFeatures,
      n: this.inFeatures,
      k: a.shape[0]!,
      alpha: scale,
      accumulate: true,
    });
  }
}
