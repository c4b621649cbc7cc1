import type { Device } from "../device/device.js";
import { byteSize, type Dtype } from "../dtype.js";
import { checkShape, sizeOf, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Largest size of a shared buffer, in bytes. */
const slabBytes = 8 * 2 ** 20;

/** From this size on a tensor has a buffer of its own, in bytes; Dawn rounds what is smaller up to a power of two. */
const ownBufferBytes = slabBytes / 2;

/** Where a view may start, in bytes. */
const alignment = 256;

/** Bytes that a tensor of `byteLength` takes of a slab; 0 for one that gets a buffer of its own. */
export function slabShare(byteLength: number): number {
  return byteLength >= ownBufferBytes ? 0 : Math.ceil(Math.max(byteLength, 4) / alignment) * alignment;
}

/**
 * Long-lived tensors, many of them small, in a few shared buffers: the weights of a model. A kernel may read several tensors of a slab, but not read one
 * and write another: WebGPU knows only whole buffers there.
 */
export class TensorSlabs implements Disposable {
  readonly #device: Device;
  readonly #open: { base: Tensor; used: number }[] = [];
  #expectedBytes: number;

  /** @param expectedBytes  sum of the `slabShare`s of what will come, so that no slab is made larger than that */
  constructor(device: Device, expectedBytes: number) {
    this.#device = device;
    this.#expectedBytes = expectedBytes;
  }

  /** A tensor with arbitrary contents that belongs to the caller. Its memory is free again when all others of its slab are disposed too. */
  empty(shape: Shape, dtype: Dtype, label: string): Tensor {
    checkShape(label, shape);
    const device = this.#device;
    const byteLength = sizeOf(shape) * byteSize(dtype);
    return device.unscoped(() => {
      const taken = slabShare(byteLength);
      if (taken === 0) return device.empty(shape, dtype, label);
      const slab = this.#open.find(({ base, used }) => used + taken <= base.byteLength) ?? this.#begin(taken);
      slab.used += taken;
      return device.viewOf(slab.base, shape, slab.used - taken, label, dtype);
    });
  }

  /** Ends the making; what was made lives on. */
  dispose(): void {
    for (const { base } of this.#open) base.dispose();
    this.#open.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #begin(leastBytes: number): { base: Tensor; used: number } {
    const byteLength = Math.max(leastBytes, Math.min(slabBytes, this.#expectedBytes));
    this.#expectedBytes -= byteLength;
    const base = this.#device.empty([byteLength / 4], "u32", "slab of small tensors");
    base.storage.isSlab = true;
    const slab = { base, used: 0 };
    this.#open.push(slab);
    return slab;
  }
}
