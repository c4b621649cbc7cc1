import type { Tensor } from "../tensor.js";
import { addInPlace, converted } from "./untaped.js";

/** Where contributions to the gradients of leaves go as soon as they are recorded. */
export interface GradientSink {
  /** Takes one; false leaves it to the `Gradients`. */
  take(leaf: Tensor, gradient: Tensor): boolean;
  /** Where an op may add `scale` times its contribution itself, in f32 and in the leaf's shape; undefined if to nothing. */
  sumOf?(leaf: Tensor): GradientSum | undefined;
  /** Told after each op of the tape: what was taken and asked for so far has been added, as far as recording goes. */
  recorded?(): void;
}

/** A sum that contributions are added to. */
export interface GradientSum {
  tensor: Tensor;
  scale: number;
}

/** Gradients of leaves, by leaf, but those that a sink took. Owns the gradient tensors. */
export class Gradients implements Disposable {
  readonly #byLeaf = new Map<Tensor, Tensor>();
  readonly #sink: GradientSink | undefined;

  constructor(sink?: GradientSink) {
    this.#sink = sink;
  }

  get(leaf: Tensor): Tensor | undefined {
    return this.#byLeaf.get(leaf);
  }

  /** Takes a share in `gradient`; a second contribution to the same leaf is added to the first. */
  add(leaf: Tensor, gradient: Tensor): void {
    if (this.#sink?.take(leaf, gradient)) return;
    this.#byLeaf.set(leaf, sumShares(this.#byLeaf.get(leaf), gradient));
  }

  /** See `GradientSink`. */
  sumOf(leaf: Tensor): GradientSum | undefined {
    return this.#sink?.sumOf?.(leaf);
  }

  /** See `GradientSink`. */
  recorded(): void {
    this.#sink?.recorded?.();
  }

  /** Removes a gradient and gives it to the caller, in the current scope. */
  take(leaf: Tensor): Tensor | undefined {
    const gradient = this.#byLeaf.get(leaf);
    if (!gradient) return undefined;
    this.#byLeaf.delete(leaf);
    return gradient.device.adopt(gradient);
  }

  entries(): IterableIterator<[leaf: Tensor, gradient: Tensor]> {
    return this.#byLeaf.entries();
  }

  get size(): number {
    return this.#byLeaf.size;
  }

  dispose(): void {
    for (const gradient of this.#byLeaf.values()) gradient.dispose();
    this.#byLeaf.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Adds a contribution to an owned sum: a share of the first one, in place where nobody else sees the f32 storage, into an f32 copy elsewhere. */
export function sumShares(sum: Tensor | undefined, contribution: Tensor): Tensor {
  const { device } = contribution;
  if (!sum) return device.unscoped(() => contribution.detach());
  if (sum.dtype === "f32" && !sum.storage.isShared) {
    addInPlace(sum, contribution);
    return sum;
  }
  const copy = device.unscoped(() => (sum.dtype === "f32" ? device.copyOf(sum) : converted(sum, "f32")));
  addInPlace(copy, contribution);
  sum.dispose();
  return copy;
}
