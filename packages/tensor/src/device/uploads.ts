import { bufferUsage } from "../memory/buffer-usage.js";
import type { BufferPool } from "../memory/pool.js";
import type { BufferRange } from "./buffer-range.js";

/** What a device lends its uploads. */
export interface UploadsParts {
  pool: BufferPool;
  copy(from: BufferRange, to: BufferRange): void;
  flush(): void;
  /** Told when there are no more. */
  onDispose(): void;
}

/** Bytes of a piece, and how many pieces may be on their way at once. */
const pieceBytes = 4 * 2 ** 20;
const numPieces = 6;

/**
 * Memory that host and device share, for as long as much is written: `Device.writeBytes` goes through it while there is room. WebGPU's own `writeBuffer` makes
 * and frees such memory for every few megabytes, which takes longer than the copy. `room` waits for some, so that the host is never further ahead. Owns its
 * buffers; dispose it.
 */
export class Uploads implements Disposable {
  readonly #parts: UploadsParts;
  /** Mapped: they can be written to. */
  readonly #free: GPUBuffer[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #all: GPUBuffer[] = [];
  #isDisposed = false;

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** Waits until a piece can be written to. */
  async room(): Promise<void> {
    if (this.#isDisposed || this.#free.length > 0) return;
    if (this.#all.length < numPieces) {
      const buffer = this.#parts.pool.create(pieceBytes, bufferUsage.mapWrite | bufferUsage.copySource, "uploads");
      this.#all.push(buffer);
      this.#map(buffer);
    }
    await Promise.race(this.#underWay);
  }

  /** Copies bytes, a multiple of 4, to the device after everything recorded so far; false where there is no room, or not for so many. */
  write(range: BufferRange, data: Uint8Array): boolean {
    const buffer = data.byteLength > pieceBytes ? undefined : this.#free.pop();
    if (!buffer) return false;
    new Uint8Array(buffer.getMappedRange(0, data.byteLength)).set(data);
    buffer.unmap();
    this.#parts.copy({ buffer, offset: 0, size: data.byteLength }, range);
    this.#parts.flush();
    this.#map(buffer);
    return true;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#free.length = 0;
    for (const buffer of this.#all) this.#parts.pool.destroy(buffer);
    this.#parts.onDispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Free again when the device has copied from it. */
  #map(buffer: GPUBuffer): void {
    const mapping = buffer
      .mapAsync(GPUMapMode.WRITE)
      .then(() => void (this.#isDisposed || this.#free.push(buffer)))
      .catch(() => undefined) // the device is gone, or this is disposed: whoever waits for the device is told
      .finally(() => this.#underWay.delete(mapping));
    this.#underWay.add(mapping);
  }
}
