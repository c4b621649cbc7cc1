import { bufferUsage } from "../memory/buffer-usage.js";
import type { BufferPool } from "../memory/pool.js";
import type { Tensor } from "../tensor.js";
import type { BufferRange } from "./buffer-range.js";
import { rangeOf } from "./buffer-range.js";
import { ShapeError } from "../errors.js";

/** What a device lends its readers. */
export interface ReaderParts {
  pool: BufferPool;
  copy(from: BufferRange, to: BufferRange): void;
  /** Submits what is recorded, and waits. */
  finished(wait: () => Promise<unknown>): Promise<void>;
}

/** A tensor on its way to the host. */
export interface StagedRead {
  /** Copies a tensor as it is when everything recorded so far has run; a later copy takes the place of the one before. Throws ShapeError for too large a one. */
  copy(tensor: Tensor): void;
  /** The bytes of the last copy, once it has run, whatever is recorded after it; into memory of that size if there is some, which is faster than new one. Ends it. */
  readBytes(into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Ends it unread. */
  release(): void;
}

/**
 * Reads small tensors again and again through buffers that it keeps: where `readBytes` makes one each time, which stalls what is under way for a fifth of a
 * millisecond. Several reads may be under way at once. Owns its buffers; dispose it.
 */
export class Reader implements Disposable {
  readonly #parts: ReaderParts;
  readonly #byteLength: number;
  readonly #free: GPUBuffer[] = [];
  #isDisposed = false;

  /**
   * @param byteLength  of the largest tensor that is read
   * @param count       buffers that are made at once; others are when they are needed
   */
  constructor(parts: ReaderParts, byteLength: number, count = 0) {
    this.#parts = parts;
    this.#byteLength = Math.ceil(byteLength / 4) * 4;
    for (let made = 0; made < count; made++) this.#free.push(this.#make());
  }

  /** Copies a tensor's bytes to the host, as they are when everything recorded so far has run. Throws ShapeError for a larger one than it was made for. */
  async readBytes(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>> {
    const copied = this.stage();
    try {
      copied.copy(tensor);
    } catch (error) {
      copied.release();
      throw error;
    }
    return copied.readBytes();
  }

  /** A place for a tensor that is copied now and read later, while what is recorded after it is under way. */
  stage(): StagedRead {
    const staging = this.#free.pop() ?? this.#make();
    let byteLength = 0;
    const release = (): void => {
      if (this.#isDisposed) this.#parts.pool.destroy(staging);
      else this.#free.push(staging);
    };
    return {
      copy: (tensor) => {
        byteLength = tensor.byteLength;
        this.#copy(tensor, staging);
      },
      readBytes: (into) => this.#read(staging, byteLength, into),
      release,
    };
  }

  #make(): GPUBuffer {
    return this.#parts.pool.create(this.#byteLength, bufferUsage.mapRead | bufferUsage.copyTarget, "read-back");
  }

  #copy(tensor: Tensor, staging: GPUBuffer): void {
    tensor.expectAlive("read");
    const range = rangeOf(tensor);
    if (range.size > this.#byteLength)
      throw new ShapeError(
        `read: ${tensor.label} is too large for this reader; expected at most ${this.#byteLength} bytes, got ${range.size}`,
      );
    this.#parts.copy(range, { buffer: staging, offset: 0, size: range.size });
  }

  async #read(staging: GPUBuffer, byteLength: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const { pool, finished } = this.#parts;
    const size = Math.max(4, Math.ceil(byteLength / 4) * 4);
    try {
      await finished(() => staging.mapAsync(GPUMapMode.READ, 0, size));
      const mapped = staging.getMappedRange(0, size);
      const bytes = into ?? new Uint8Array(mapped.slice(0, byteLength));
      into?.set(new Uint8Array(mapped, 0, byteLength));
      staging.unmap();
      if (!this.#isDisposed) this.#free.push(staging);
      else pool.destroy(staging);
      return bytes;
    } catch (error) {
      pool.destroy(staging);
      throw error;
    }
  }

  /** What is under way still comes. */
  dispose(): void {
    this.#isDisposed = true;
    for (const staging of this.#free.splice(0)) this.#parts.pool.destroy(staging);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
