import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import { adaptedLinear, adaptedLinears, areAdaptedLinears, isAdaptedLinear, type AdaptedLayer } from "../ops/adapted-linear.js";
import { add } from "../ops/add.js";
import { gemm } from "../ops/gemm.js";
import type { FewRowsInput } from "../ops/few-rows-layout.js";
import { fewRowsLinear } from "../ops/few-rows-linear.js";
import { linear } from "../ops/linear.js";
import type { LowRankAhead } from "../ops/low-rank-ahead.js";
import { fewRowsColumns } from "../kernels/lib/few-rows.js";
import { expectFinite } from "./expect-finite.js";
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

/** Options of `LinearModule.forwardOnto`. */
export interface OntoOptions {
  /** False where the result is wanted for its place on the tape alone: then it may be the addend itself, without what is added. Default true. */
  isRead?: boolean | undefined;
}

/** Anything that maps [T, inFeatures] to [T, outFeatures] and can carry an adapter. */
export interface LinearModule extends LinearShape {
  adapter: LinearAdapter | undefined;
  forward(x: Tensor, options: { dtype: FloatDtype }): Tensor;
  /** addend + forward(x) in f32, for a residual stream: [T, outFeatures]. Where a layer has no such method, the two are added. */
  forwardOnto?(addend: Tensor, x: Tensor, options?: OntoOptions): Tensor;
  /** This layer as the part of a product that its adapter's is inside of; undefined without an adapter that acts, and for a layer that cannot be that. See `adaptedLinear`. */
  adapted?(): AdaptedLayer | undefined;
  /**
   * This layer and others of the same input in one launch, for a few rows, outside the tape: their results side by side, adapters included. Undefined, and nothing
   * recorded, where these layers cannot; see `fewRowsLinear`.
   */
  together?(others: readonly LinearModule[], input: FewRowsInput): Tensor | undefined;
  /** Adds to the weight for good, where the layer can: sums in f32, rounded to the weight's dtype. */
  addToWeight?(delta: LowRankDelta): void | Promise<void>;
  /** Throws DtypeError, naming the element, if these, added to the weight in this order, would make it NaN or infinite; changes nothing either way. */
  expectFiniteSums?(deltas: readonly LowRankDelta[]): Promise<void>;
}

/** A layer of one kind, with weights of type W. */
type LinearOf<W> = LinearModule & { readonly weight: W; readonly bias: Tensor | undefined };

/**
 * What some layers make of one input, on the tape: [T, outFeatures] in `dtype` each. Where their adapters can be multiplied by it together, they are; elsewhere each
 * layer is for itself.
 */
export function forwardEach(modules: readonly LinearModule[], x: Tensor, { dtype }: { dtype: FloatDtype }): readonly Tensor[] {
  const layers = modules.flatMap((module) => module.adapted?.() ?? []);
  if (layers.length === modules.length && areAdaptedLinears(x, layers)) return adaptedLinears(x, layers, { dtype });
  return modules.map((module) => x.device.scope("projection", () => module.forward(x, { dtype })));
}

/**
 * Layers as parts of one product, where they can be that: all of one kind, with adapters that are one matrix of low rank each, on a device that gains by it. On a
 * software adapter, where a launch costs little and lanes have no company, none does, but where a variant of one of these kernels is forced.
 */
export function partsTogether<W>(
  modules: readonly LinearModule[],
  Kind: abstract new (weight: W, bias?: Tensor) => LinearOf<W>,
  { capabilities, recorder: { variants } }: Device,
): { weight: W; bias: Tensor | undefined; lowRank: LowRankDelta | undefined }[] | undefined {
  const isForced = ["fewRows", "fewRowsMatrix", "nf4FewRows", "nf4FewRowsMatrix"].some((kernel) => variants.has(kernel));
  if (capabilities.software && !isForced) return undefined;
  const isOfKind = (module: LinearModule): module is LinearOf<W> => module instanceof Kind;
  const isTaken = ({ adapter }: LinearModule): boolean => !adapter?.isActive || adapter.delta !== undefined;
  if (!modules.every(isOfKind) || !modules.every(isTaken)) return undefined;
  return modules.map(({ weight, bias, adapter }) => ({ weight, bias, lowRank: adapter?.isActive ? adapter.delta : undefined }));
}

/**
 * What the adapters of layers that are computed together multiply their input with first, to be made along with it: see `LowRankAhead`. Undefined where none acts,
 * or they are not one matrix of low rank each, in one buffer.
 *
 * @param norm  [inFeatures] f32, weight of the norm that the input goes through first
 */
export function lowRankAhead(modules: readonly LinearModule[], norm?: Tensor): LowRankAhead | undefined {
  const deltas = modules.flatMap(({ adapter }) => (adapter?.isActive ? [adapter.delta] : []));
  const a = deltas.flatMap((delta) => delta?.a ?? []);
  const [first] = a;
  const isOneBuffer = a.every(({ storage, shape }) => storage === first!.storage && shape[0]! % fewRowsColumns === 0);
  return first && a.length === deltas.length && isOneBuffer ? { a, norm, parts: undefined } : undefined;
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
    return this.#forward(x, dtype);
  }

  /** @param addend [T, outFeatures] f32 → addend + forward(x), f32 */
  forwardOnto(addend: Tensor, x: Tensor, { isRead = true }: OntoOptions = {}): Tensor {
    return this.#forward(x, "f32", { addend, isRead });
  }

  #forward(x: Tensor, dtype: FloatDtype, { addend, isRead }: { addend?: Tensor; isRead?: boolean } = {}): Tensor {
    if (!this.adapter?.isActive) return linear(x, this.weight, this.bias, { dtype, addend, isRead });
    const adapted = this.adapted();
    if (adapted && isAdaptedLinear({ x, ...adapted })) return adaptedLinear({ x, ...adapted, addend, dtype, isRead });
    const y = this.adapter.apply(linear(x, this.weight, this.bias, { dtype: "f32" }), x, { dtype });
    return addend ? add(addend, y) : y;
  }

  adapted(): AdaptedLayer | undefined {
    const { weight, bias, adapter } = this;
    if (!adapter?.isActive || !adapter.delta || weight.dtype !== "f16" || weight.requiresGrad || weight.node) return undefined;
    const frozen = {
      shape: weight.shape as [number, number],
      forProduct: () => ({ b: weight, transposeB: true }),
      forGradient: () => weight,
    };
    return { weight: frozen, bias, delta: adapter.delta };
  }

  together(others: readonly LinearModule[], input: FewRowsInput): Tensor | undefined {
    const parts = partsTogether([this, ...others], Linear, input.x.device);
    return parts && fewRowsLinear(parts, input);
  }

  /** weight ← weight + scale · b · a, in place: product and sum in f32, one rounding to the weight's dtype. */
  addToWeight(delta: LowRankDelta): void {
    this.#add(delta, this.weight);
  }

  async expectFiniteSums(deltas: readonly LowRankDelta[]): Promise<void> {
    const { device, shape, dtype, label } = this.weight;
    using sum = device.unscoped(() => device.empty(shape, dtype, `${label}, merged`));
    device.copyInto(sum, this.weight);
    for (const delta of deltas) this.#add(delta, sum);
    await expectFinite(sum);
  }

  #add({ a, b, scale }: LowRankDelta, c: Tensor): void {
    gemm({ a: b, b: a, c, m: this.outFeatures, n: this.inFeatures, k: a.shape[0]!, alpha: scale, accumulate: true });
  }
}
