import type { BufferPool } from "./pool.js";

let nextId = 1;

/** A GPU buffer with a count of the tensors (and saved activations) that use it; the last release gives it back to the pool. */
export class Storage {
  readonly id: number = nextId++;
  readonly buffer: GPUBuffer;
  /** Bytes of the buffer: at least those asked for. */
  readonly byteLength: number;
  /** Holds unrelated tensors side by side: see `TensorSlabs`. */
  isSlab = false;
  readonly #pool: BufferPool;
  #references = 1;

  /** @param fit  see `BufferPool.take` */
  constructor(pool: BufferPool, byteLength: number, label: string, fit?: number) {
    this.#pool = pool;
    this.buffer = pool.take(byteLength, label, fit);
    this.byteLength = this.buffer.size;
  }

  /** More than one tensor uses it, so an in-place change would be seen elsewhere. */
  get isShared(): boolean {
    return this.#references > 1;
  }

  /** Its buffer goes back to this pool. */
  isOf(pool: BufferPool): boolean {
    return this.#pool === pool;
  }

  retain(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references === 0) this.#pool.give(this.buffer);
  }
}
