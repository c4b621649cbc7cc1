import { OutOfMemoryError } from "../errors.js";

/** Smallest buffer; also the alignment of bindings. */
const minimumBytes = 256;

/**
 * Rounds a byte length up to a size class. Sixteen classes per power of two keep the waste below 6.25 %, so that what checkpointing saves shows in
 * the buffers, while tensors of nearly equal size still share them.
 */
export function sizeClass(byteLength: number): number {
  if (byteLength <= minimumBytes) return minimumBytes;
  const step = Math.max(minimumBytes, 2 ** Math.floor(Math.log2(byteLength)) / 16);
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
  /** Number of storages in use. */
  liveStorages: number;
}

/**
 * GPU buffers by size class. A buffer given back is handed out again at once: a queue runs its commands in order, so the next dispatch cannot
 * overwrite what an earlier one still reads. Of several free ones the oldest is taken, so that steps which ask for the same sizes in the same order
 * get the same buffers, and find their bind groups made.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #maxBufferBytes: number;
  readonly #free = new Map<number, GPUBuffer[]>();
  readonly #ages = new WeakMap<GPUBuffer, number>();
  #numCreated = 0;
  #inUseBytes = 0;
  #allocatedBytes = 0;
  #peakBytes = 0;
  #liveStorages = 0;

  constructor(device: GPUDevice, maxBufferBytes: number) {
    this.#device = device;
    this.#maxBufferBytes = maxBufferBytes;
  }

  info(): MemoryInfo {
    return {
      inUseBytes: this.#inUseBytes,
      allocatedBytes: this.#allocatedBytes,
      peakBytes: this.#peakBytes,
      liveStorages: this.#liveStorages,
    };
  }

  resetPeak(): void {
    this.#peakBytes = this.#allocatedBytes;
  }

  /** A buffer of at least `byteLength` bytes whose contents are arbitrary; throws OutOfMemoryError past the device's limit. */
  take(byteLength: number, label: string): GPUBuffer {
    const size = sizeClass(byteLength);
    const reused = this.#free.get(size)?.pop(); // the oldest: the lists run from young to old
    const buffer = reused ?? this.create(size, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST, label);
    this.#inUseBytes += size;
    this.#liveStorages++;
    return buffer;
  }

  give(buffer: GPUBuffer): void {
    let list = this.#free.get(buffer.size);
    if (!list) this.#free.set(buffer.size, (list = []));
    const age = this.#ages.get(buffer)!;
    let place = list.length;
    while (place > 0 && this.#ages.get(list[place - 1]!)! < age) place--;
    list.splice(place, 0, buffer);
    this.#inUseBytes -= buffer.size;
    this.#liveStorages--;
  }

  /** Any buffer, counted; for staging and the uniform ring. Destroy it with `destroy`. */
  create(size: number, usage: GPUBufferUsageFlags, label: string): GPUBuffer {
    if (size > this.#maxBufferBytes) {
      throw new OutOfMemoryError(
        `allocate: ${label} is too large; expected at most ${this.#maxBufferBytes} bytes in one buffer, got ${size}; use a smaller batch or a shorter max_length`,
        { requestedBytes: size, allocatedBytes: this.#allocatedBytes },
      );
    }
    const buffer = this.#device.createBuffer({ size, usage, label });
    this.#ages.set(buffer, this.#numCreated++);
    this.#allocatedBytes += size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes);
    return buffer;
  }

  destroy(buffer: GPUBuffer): void {
    this.#allocatedBytes -= buffer.size;
    buffer.destroy();
  }

  /** Destroys every free buffer; the caller has submitted what used them. */
  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) this.destroy(buffer);
    this.#free.clear();
  }
}
