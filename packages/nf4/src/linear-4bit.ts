import {
  adaptedLinear,
  add,
  gemm,
  isAdaptedLinear,
  partsTogether,
  type AdaptedLayer,
  type FewRowsInput,
  type FloatDtype,
  type LinearAdapter,
  type LinearModule,
  type LowRankDelta,
  type OntoOptions,
  type Tensor,
} from "@kto/tensor";
import type { Nf4Weight } from "./nf4-weight.js";
import { fewRowsLinear4bit } from "./ops/few-rows-linear-4bit.js";
import { linear4bit } from "./ops/linear-4bit.js";
import { productOperand } from "./ops/expand.js";
import { requantize } from "./quantize.js";

/** y = x · weightᵀ + bias from a four-bit weight, with an optional adapter on the accumulator. Owns nothing: the model owns the weights. */
export class Linear4bit implements LinearModule {
  /** [outFeatures, inFeatures], frozen. */
  readonly weight: Nf4Weight;
  /** [outFeatures] f32 */
  readonly bias: Tensor | undefined;
  adapter: LinearAdapter | undefined = undefined;

  constructor(weight: Nf4Weight, bias?: Tensor) {
    this.weight = weight;
    this.bias = bias;
  }

  get inFeatures(): number {
    return this.weight.shape[1];
  }

  get outFeatures(): number {
    return this.weight.shape[0];
  }

  /** @param x [T, inFeatures] → [T, outFeatures] in `dtype` */
  forward(x: Tensor, { dtype }: { dtype: FloatDtype }): Tensor {
    return this.#forward(x, dtype);
  }

  /** @param addend [T, outFeatures] f32 → addend + forward(x), f32 */
  forwardOnto(addend: Tensor, x: Tensor, { isRead = true }: OntoOptions = {}): Tensor {
    return this.#forward(x, "f32", { addend, isRead });
  }

  #forward(x: Tensor, dtype: FloatDtype, { addend, isRead }: { addend?: Tensor; isRead?: boolean } = {}): Tensor {
    if (!this.adapter?.isActive) return linear4bit(x, this.weight, this.bias, { dtype, addend, isRead });
    const adapted = this.adapted();
    if (adapted && isAdaptedLinear({ x, ...adapted })) return adaptedLinear({ x, ...adapted, addend, dtype, isRead });
    const y = this.adapter.apply(linear4bit(x, this.weight, this.bias, { dtype: "f32" }), x, { dtype });
    return addend ? add(addend, y) : y;
  }

  adapted(): AdaptedLayer | undefined {
    const { weight, bias, adapter } = this;
    if (!adapter?.isActive || !adapter.delta) return undefined;
    const frozen = { shape: weight.shape, forProduct: () => productOperand(weight), forGradient: () => weight.dequantize("f16") };
    return { weight: frozen, bias, delta: adapter.delta };
  }

  together(others: readonly LinearModule[], input: FewRowsInput): Tensor | undefined {
    const parts = partsTogether([this, ...others], Linear4bit, input.x.device);
    return parts && fewRowsLinear4bit(parts, input);
  }

  /**
   * W ← W + scale · b · a: dequantised, added in f32, rounded to the dtype of the quant state and quantised again with its settings, in place.
   * Throws DtypeError if a sum is not finite; the weight is then as before.
   */
  async addToWeight(delta: LowRankDelta): Promise<void> {
    this.weight.become(await withDelta(this.weight, delta));
  }

  async expectFiniteSums(deltas: readonly LowRankDelta[]): Promise<void> {
    let sum: Nf4Weight | undefined;
    try {
      for (const delta of deltas) {
        const next = await withDelta(sum ?? this.weight, delta);
        sum?.dispose();
        sum = next;
      }
    } finally {
      sum?.dispose();
    }
  }
}

/** A weight and a matrix of low rank, quantised again. */
async function withDelta(weight: Nf4Weight, { a, b, scale }: LowRankDelta): Promise<Nf4Weight> {
  const [outFeatures, inFeatures] = weight.shape;
  using sum = weight.device.unscoped(() => weight.dequantize("f32"));
  gemm({ a: b, b: a, c: sum, m: outFeatures, n: inFeatures, k: a.shape[0]!, alpha: scale, accumulate: true });
  return requantize(weight, sum);
}
