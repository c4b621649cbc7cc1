import type { BufferPool, MemoryInfo } from "../memory/pool.js";
import type { CommandQueue } from "./queue.js";
import type { PipelineCache } from "./pipeline-cache.js";

/** The pool that tensors get their buffers from: while a rehearsal runs another than the device's own. */
export interface PoolInUse {
  pool: BufferPool;
}

/** What a device lends its memory. */
export interface DeviceMemoryParts {
  inUse: PoolInUse;
  queue: CommandQueue;
  pipelines: PipelineCache;
  sync(): Promise<void>;
  scope(body: () => void): void;
}

/** What the buffers of a device take, what they may take, and what something would take: `device.memory`. */
export class DeviceMemory {
  /** Bytes that all buffers may take together, where somebody knows; plans of a run keep to it. Nothing is refused for passing it. */
  budgetBytes: number | undefined = undefined;
  /** Tells how many bytes of the adapter's memory nobody uses, where the caller knows a way; for the message of OutOfMemoryError. */
  readFreeBytes: () => number | undefined = () => undefined;
  readonly #parts: DeviceMemoryParts;

  constructor(parts: DeviceMemoryParts) {
    this.#parts = parts;
  }

  /** Free buffers are destroyed before all buffers together pass this, in bytes; buffers in use may pass it. Infinity, where nobody set it. */
  get limitBytes(): number {
    return this.#parts.inUse.pool.limitBytes;
  }

  set limitBytes(bytes: number) {
    this.#parts.inUse.pool.limitBytes = bytes;
  }

  /** Counts of now. */
  info(): MemoryInfo {
    return this.#parts.inUse.pool.info();
  }

  /** Lets the peaks of `info` count from here. */
  resetPeak(): void {
    this.#parts.inUse.pool.resetPeak();
  }

  /** Waits for the GPU, then frees the buffers that no tensor uses. */
  async trim(): Promise<void> {
    await this.#parts.sync();
    this.#parts.queue.forgetBindGroups();
    this.#parts.inUse.pool.trim();
  }

  /**
   * Runs `body` without the GPU: tensors are counted and not made, kernels and copies do nothing. Tells to the byte what `body` would need, starting
   * from what exists, and notes its kernels for `device.recorder.warmUp`. `body` must not read a tensor, nor dispose one that was made outside; what it
   * makes is freed at its end.
   */
  rehearse(body: () => void): MemoryInfo {
    const { inUse, queue, pipelines, scope } = this.#parts;
    const { pool } = inUse;
    const { isRehearsing } = queue;
    const rehearsal = pool.rehearsal();
    inUse.pool = rehearsal;
    queue.isRehearsing = true;
    pipelines.forgetAnticipated();
    try {
      scope(body);
      return rehearsal.info();
    } finally {
      inUse.pool = pool;
      queue.isRehearsing = isRehearsing;
    }
  }
}
