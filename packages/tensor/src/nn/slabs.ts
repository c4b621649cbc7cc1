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

/** Bytes that tensors of these lengths, which lie together, take of a slab; 0 for those that get a buffer of their own. */
export function slabShare(...byteLengths: number[]): number {
  const total = sumOf(byteLengths);
  return total >= ownBufferBytes ? 0 : total;
}

function sumOf(byteLengths: readonly number[]): number {
  return byteLengths.reduce((sum, byteLength) => sum + aligned(byteLength), 0);
}

function aligned(byteLength: number): number {
  return Math.ceil(Math.max(byteLength, 4) / alignment) * alignment;
}

/** Where long-lived tensors get their memory. */
export interface TensorSpace {
  /** A tensor with arbitrary contents that belongs to the caller. */
  empty(shape: Shape, dtype: Dtype, label: string): Tensor;
  /** False for a tensor of that length which would have a buffer of its own anyway. */
  shares(byteLength: number): boolean;
}

/**
 * Long-lived tensors, many of them small, in a few shared buffers: the weights of a model. A kernel may read several tensors of a slab, but not read one
 * and write another: WebGPU knows only whole buffers there.
 */
export class TensorSlabs implements TensorSpace, Disposable {
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
    const byteLength = sizeOf(shape) * byteSize(dtype);
    if (!this.shares(byteLength)) return this.#device.unscoped(() => this.#device.empty(shape, dtype, label));
    const { base, start } = this.#take(slabShare(byteLength));
    return this.#device.unscoped(() => this.#device.viewOf(base, shape, start, label, dtype));
  }

  shares(byteLength: number): boolean {
    return slabShare(byteLength) > 0;
  }

  /** Room for tensors of these lengths that one kernel reads together: they lie in one buffer, of a slab or their own. Dispose it when they are made. */
  region(byteLengths: readonly number[]): TensorRegion {
    const taken = slabShare(...byteLengths);
    if (taken > 0) return new TensorRegion(this.#device, { ...this.#take(taken), byteLength: taken });
    const byteLength = sumOf(byteLengths);
    const base = newSlab(this.#device, byteLength, "tensors of one kernel");
    const region = new TensorRegion(this.#device, { base, start: 0, byteLength });
    base.dispose(); // the region holds it
    return region;
  }

  /** Ends the making; what was made lives on. */
  dispose(): void {
    for (const { base } of this.#open) base.dispose();
    this.#open.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #take(byteLength: number): { base: Tensor; start: number } {
    const slab = this.#open.find(({ base, used }) => used + byteLength <= base.byteLength) ?? this.#begin(byteLength);
    slab.used += byteLength;
    return { base: slab.base, start: slab.used - byteLength };
  }

  #begin(leastBytes: number): { base: Tensor; used: number } {
    const byteLength = Math.max(leastBytes, Math.min(slabBytes, this.#expectedBytes));
    this.#expectedBytes -= byteLength;
    const slab = { base: newSlab(this.#device, byteLength, "slab of small tensors"), used: 0 };
    this.#open.push(slab);
    return slab;
  }
}

/** A part of a buffer, for tensors that come one after another. */
export class TensorRegion implements TensorSpace, Disposable {
  readonly #device: Device;
  readonly #whole: Tensor;
  #used = 0;

  constructor(device: Device, { base, start, byteLength }: { base: Tensor; start: number; byteLength: number }) {
    this.#device = device;
    this.#whole = device.unscoped(() => device.viewOf(base, [byteLength / 4], start, "room for tensors", "u32"));
  }

  /** A tensor that comes when there is no room left has a buffer of its own. */
  empty(shape: Shape, dtype: Dtype, label: string): Tensor {
    checkShape(label, shape);
    const taken = aligned(sizeOf(shape) * byteSize(dtype));
    if (this.#used + taken > this.#whole.byteLength) return this.#device.unscoped(() => this.#device.empty(shape, dtype, label));
    this.#used += taken;
    return this.#device.unscoped(() => this.#device.viewOf(this.#whole, shape, this.#whole.byteOffset + this.#used - taken, label, dtype));
  }

  shares(): boolean {
    return true;
  }

  dispose(): void {
    this.#whole.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function newSlab(device: Device, byteLength: number, label: string): Tensor {
  const base = device.unscoped(() => device.empty([byteLength / 4], "u32", label));
  base.storage.isSlab = true;
  return base;
}
