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

/**
 * Reads small tensors again and again through buffers that it keeps: where `readBytes` makes one each time, which stalls what is under way for a fifth of a
 * millisecond. Several reads may be under way at once. Owns its buffers; dispose it.
 */
export class Reader implements Disposable {
  readonly #parts: ReaderParts;
  readonly #byteLength: number;
  readonly #free: GPUBuffer[] = [];
  #isDisposed = false;

  /** @param byteLength  of the largest tensor that is read */
  constructor(parts: ReaderParts, byteLength: number) {
    this.#parts = parts;
    this.#byteLength = Math.ceil(byteLength / 4) * 4;
  }

  /** Copies a tensor's bytes to the host, as they are when everything recorded so far has run. Throws ShapeError for a larger one than it was made for. */
  async readBytes(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>> {
    const { pool, copy, finished } = this.#parts;
    tensor.expectAlive("read");
    const range = rangeOf(tensor);
    if (range.size > this.#byteLength)
      throw new ShapeError(
        `read: ${tensor.label} is too large for this reader; expected at most ${this.#byteLength} bytes, got ${range.size}`,
      );
    const staging = this.#free.pop() ?? pool.create(this.#byteLength, bufferUsage.mapRead | bufferUsage.copyTarget, "read-back");
    try {
      copy(range, { buffer: staging, offset: 0, size: range.size });
      await finished(() => staging.mapAsync(GPUMapMode.READ, 0, range.size));
      const bytes = new Uint8Array(staging.getMappedRange(0, range.size).slice(0, tensor.byteLength));
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
