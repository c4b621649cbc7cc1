import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import { gemm } from "../ops/gemm.js";
import { fewRowsLinear, type FewRowsInput } from "../ops/few-rows-linear.js";
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
  /** All that it adds, where that is x times one matrix of low rank. */
  readonly delta?: LowRankDelta | undefined;
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
  /**
   * This layer and others of the same input in one launch, for a few rows, outside the tape: their results side by side, adapters included. Undefined, and nothing
   * recorded, where these layers cannot; see `fewRowsLinear`.
   */
  together?(others: readonly LinearModule[], input: FewRowsInput): Tensor | undefined;
  /** Adds to the weight for good, where the layer can: sums in f32, rounded to the weight's dtype. */
  addToWeight?(delta: LowRankDelta): void | Promise<void>;
}

/** What the adapters of layers add, layer by layer: undefined for those without; undefined as a whole where an adapter is more than one matrix of low rank. */
export function lowRankDeltas(modules: readonly LinearModule[]): (LowRankDelta | undefined)[] | undefined {
  const active = modules.map(({ adapter }) => (adapter?.isActive ? adapter : undefined));
  return active.every((adapter) => !adapter || adapter.delta) ? active.map((adapter) => adapter?.delta) : undefined;
}

/**
 * Whether layers are better computed together on a device. On a software adapter, where a launch costs little and lanes have no company, they are not, but where
 * a variant of one of these kernels is forced.
 */
export function paysTogether({ capabilities, recorder: { variants } }: Device): boolean {
  return !capabilities.software || ["fewRows", "fewRowsMatrix", "nf4FewRows", "nf4FewRowsMatrix"].some((kernel) => variants.has(kernel));
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

  together(others: readonly LinearModule[], input: FewRowsInput): Tensor | undefined {
    const modules = [this, ...others];
    const deltas = lowRankDeltas(modules);
    if (!deltas || !modules.every((module) => module instanceof Linear) || !paysTogether(input.x.device)) return undefined;
    const parts = modules.map(({ weight, bias }, index) => ({ weight, bias, lowRank: deltas[index] }));
    return fewRowsLinear(parts, input);
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
