import { OutOfMemoryError } from "../errors.js";
import { bufferUsage } from "./buffer-usage.js";

/** Smallest buffer; also the alignment of bindings. */
const minimumBytes = 256;

/**
 * A free buffer at most this many times as large as asked for is taken rather than a new one made. A step of the 1.5B shape (4 × 512 tokens, checkpointed)
 * then holds 14 % more than it uses at once beside the weights; with 1 it holds 32 % more, with 2 20 %, with 3 88 % (rehearsed, 2026-11-28). A little more than 1.5, as passes of half prompts
 * come in two sizes of which one is that: rows of 1,024 are planned with 2,417 MiB, with 1.5 itself with 2,568 (rehearsed, 2026-12-01).
 */
const largestFit = 1.6;

/**
 * The same in a backward pass of some of the rows, in which nothing lives long: it finds the free buffers of the forward pass, which were for all rows. A step of
 * the 1.5B shape (4 × 512 tokens, 1.5 times as many on the way there, checkpointed) holds 922 MiB beside the weights with it and 1,168 without (rehearsed, 2026-12-01).
 */
export const briefFit = 2;

/** From these sizes on classes are finer: large buffers are few, and their waste is what counts. */
const largeBytes = 4 * 2 ** 20;
const hugeBytes = 64 * 2 ** 20;

/**
 * Rounds a byte length up to a size class. Sixteen classes per power of two, 64 above a few MiB and 256 above 64, keep the waste below 6.25 %, 1.6 %
 * and 0.4 %, so that what checkpointing saves shows in the buffers, while tensors of nearly equal size still share them.
 */
export function sizeClass(byteLength: number): number {
  if (byteLength <= minimumBytes) return minimumBytes;
  const classes = byteLength > hugeBytes ? 256 : byteLength > largeBytes ? 64 : 16;
  const step = Math.max(minimumBytes, 2 ** Math.floor(Math.log2(byteLength)) / classes);
  return Math.ceil(byteLength / step) * step;
}

/** Counts of a pool, in bytes. */
export interface MemoryInfo {
  /** Held by storages in use. */
  inUseBytes: number;
  /** All buffers that exist: in use, free in the pool, staging, uniform ring, profiler. */
  allocatedBytes: number;
  /** Largest `allocatedBytes` so far. */
  peakBytes: number;
  /** Largest `inUseBytes` so far. */
  peakInUseBytes: number;
  /** Kept in the pool for the next tensors. */
  freeBytes: number;
  /** Number of storages in use. */
  liveStorages: number;
  /** Buffers made so far; a steady step makes none. */
  numBuffersMade: number;
}

/** Where a pool has its buffers from: a GPUDevice, or another pool. */
interface BufferMaker {
  createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer;
  /** Default: the buffer is destroyed. */
  destroyBuffer?(buffer: GPUBuffer): void;
}

/**
 * GPU buffers by size class. A buffer given back is handed out again at once: a queue runs its commands in order, so the next dispatch cannot
 * overwrite what an earlier one still reads. Of several free ones the oldest is taken, so that steps which ask for the same sizes in the same order
 * get the same buffers, and find their bind groups made.
 */
export class BufferPool {
  readonly #maker: BufferMaker;
  readonly #maxBufferBytes: number;
  readonly #free = new Map<number, GPUBuffer[]>();
  readonly #ages = new WeakMap<GPUBuffer, number>();
  readonly #unusable = new WeakSet<GPUBuffer>();
  /** Free buffers are destroyed before all of them together pass this; buffers in use may. */
  limitBytes: number = Infinity;
  /** Called before free buffers are destroyed: submits what still names them. */
  beforeDestroy: () => void = () => undefined;
  #numCreated = 0;
  #inUseBytes = 0;
  #allocatedBytes = 0;
  #peakBytes = 0;
  #peakInUseBytes = 0;
  #liveStorages = 0;

  constructor(maker: BufferMaker, maxBufferBytes: number) {
    this.#maker = maker;
    this.#maxBufferBytes = maxBufferBytes;
  }

  info(): MemoryInfo {
    return {
      inUseBytes: this.#inUseBytes,
      allocatedBytes: this.#allocatedBytes,
      peakBytes: this.#peakBytes,
      peakInUseBytes: this.#peakInUseBytes,
      freeBytes: [...this.#free].reduce((total, [size, list]) => total + size * list.length, 0),
      liveStorages: this.#liveStorages,
      numBuffersMade: this.#numCreated,
    };
  }

  resetPeak(): void {
    this.#peakBytes = this.#allocatedBytes;
    this.#peakInUseBytes = this.#inUseBytes;
  }

  /** A pool that counts on from here and makes no buffer: what it would come to, were the same tensors asked for. */
  rehearsal(): BufferPool {
    const maker = { createBuffer: ({ size }: { size: number }) => ({ size, destroy: () => undefined }) as unknown as GPUBuffer };
    const pool = new BufferPool(maker, this.#maxBufferBytes);
    pool.#allocatedBytes = this.#allocatedBytes;
    pool.#inUseBytes = this.#inUseBytes;
    pool.#liveStorages = this.#liveStorages;
    for (const [size, list] of this.#free) {
      pool.#free.set(
        size,
        list.map((buffer) => {
          const standIn = maker.createBuffer({ size });
          pool.#ages.set(standIn, this.#ages.get(buffer)!);
          return standIn;
        }),
      );
    }
    pool.#numCreated = this.#numCreated;
    pool.limitBytes = this.limitBytes;
    pool.resetPeak();
    return pool;
  }

  /** A pool whose buffers are this one's, in use until it is trimmed: nobody else gets one of them meanwhile. */
  branch(): BufferPool {
    return new BufferPool(
      { createBuffer: ({ size, label = "" }) => this.take(size, label), destroyBuffer: (buffer) => this.give(buffer) },
      this.#maxBufferBytes,
    );
  }

  /** A buffer of at least `byteLength` bytes, of at most `fit` times as many, whose contents are arbitrary; throws OutOfMemoryError past the device's limit. */
  take(byteLength: number, label: string, fit: number = largestFit): GPUBuffer {
    const size = sizeClass(byteLength);
    const buffer =
      this.#reuse(size, fit) ?? this.create(size, bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyTarget, label);
    this.#inUseBytes += buffer.size;
    this.#peakInUseBytes = Math.max(this.#peakInUseBytes, this.#inUseBytes);
    this.#liveStorages++;
    return buffer;
  }

  give(buffer: GPUBuffer): void {
    this.#inUseBytes -= buffer.size;
    this.#liveStorages--;
    if (this.#unusable.has(buffer)) {
      this.destroy(buffer);
      return;
    }
    let list = this.#free.get(buffer.size);
    if (!list) this.#free.set(buffer.size, (list = []));
    const age = this.#ages.get(buffer)!;
    let place = list.length;
    while (place > 0 && this.#ages.get(list[place - 1]!)! < age) place--;
    list.splice(place, 0, buffer);
  }

  /** The driver had no memory for this buffer: it goes away when it is given back, or now if it was. */
  abandon(buffer: GPUBuffer): void {
    const list = this.#free.get(buffer.size) ?? [];
    const place = list.indexOf(buffer);
    if (place < 0) {
      this.#unusable.add(buffer);
      return;
    }
    list.splice(place, 1);
    this.destroy(buffer);
  }

  /** Any buffer, counted; for staging and the uniform ring. Destroy it with `destroy`. */
  create(size: number, usage: number, label: string): GPUBuffer {
    if (size > this.#maxBufferBytes) {
      throw new OutOfMemoryError(
        {
          operation: "allocate",
          problem: `${label} is too large`,
          expected: `at most ${this.#maxBufferBytes} bytes in one buffer`,
          got: String(size),
        },
        { requestedBytes: size, allocatedBytes: this.#allocatedBytes },
      );
    }
    if (this.#allocatedBytes + size > this.limitBytes) this.#makeRoom(size);
    const buffer = this.#maker.createBuffer({ size, usage, label });
    this.#ages.set(buffer, this.#numCreated++);
    this.#allocatedBytes += size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes);
    return buffer;
  }

  destroy(buffer: GPUBuffer): void {
    this.#allocatedBytes -= buffer.size;
    if (this.#maker.destroyBuffer) this.#maker.destroyBuffer(buffer);
    else buffer.destroy();
  }

  /** Destroys every free buffer; the caller has submitted what used them. */
  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) this.destroy(buffer);
    this.#free.clear();
  }

  /** A free buffer of the class, else of the next class that is not much larger; the oldest of its class, as the lists run from young to old. */
  #reuse(size: number, fit: number): GPUBuffer | undefined {
    let best = this.#free.get(size)?.length ? size : Infinity;
    if (best > size)
      for (const [candidate, list] of this.#free)
        if (candidate > size && candidate < best && candidate <= size * fit && list.length > 0) best = candidate;
    return this.#free.get(best)?.pop();
  }

  /** Destroys free buffers until `size` more bytes fit under the limit or none is left: one that is just large enough, else the largest first. */
  #makeRoom(size: number): void {
    this.beforeDestroy();
    const sizes = [...this.#free.keys()].filter((free) => this.#free.get(free)!.length > 0).sort((a, b) => a - b);
    for (;;) {
      const missing = this.#allocatedBytes + size - this.limitBytes;
      const chosen = missing > 0 ? (sizes.find((free) => free >= missing) ?? sizes.at(-1)) : undefined;
      if (chosen === undefined) return;
      const list = this.#free.get(chosen)!;
      this.destroy(list.pop()!);
      if (list.length === 0) sizes.splice(sizes.indexOf(chosen), 1);
    }
  }
}
