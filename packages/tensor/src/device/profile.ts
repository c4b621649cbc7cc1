import type { BufferPool } from "../memory/pool.js";

const queriesPerBatch = 512;

/** Time on the GPU of all dispatches with one label. */
export interface KernelTiming {
  label: string;
  count: number;
  totalMs: number;
}

interface Batch {
  queries: GPUQuerySet;
  labels: string[];
  resolved: GPUBuffer;
  readable: GPUBuffer;
}

/** Times every dispatch with timestamp queries: one compute pass each, so the sum is kernel time, not wall time. */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #batches: Batch[] = [];
  #current: Batch | undefined;

  constructor(device: GPUDevice, pool: BufferPool) {
    this.#device = device;
    this.#pool = pool;
  }

  /** Timestamp slots for the next dispatch. */
  begin(label: string): GPUComputePassTimestampWrites {
    this.#current ??= this.#open();
    const index = this.#current.labels.push(label) - 1;
    return { querySet: this.#current.queries, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 };
  }

  /** Called before a submit: copies this encoder's timestamps out. */
  resolve(encoder: GPUCommandEncoder): void {
    const batch = this.#current;
    if (!batch) return;
    const bytes = batch.labels.length * 16;
    encoder.resolveQuerySet(batch.queries, 0, batch.labels.length * 2, batch.resolved, 0);
    encoder.copyBufferToBuffer(batch.resolved, 0, batch.readable, 0, bytes);
    this.#batches.push(batch);
    this.#current = undefined;
  }

  /** Timings of everything submitted, hottest first; frees the queries. */
  async finish(): Promise<KernelTiming[]> {
    const byLabel = new Map<string, KernelTiming>();
    for (const { labels, readable } of this.#batches) {
      await readable.mapAsync(GPUMapMode.READ, 0, labels.length * 16);
      const times = new BigUint64Array(readable.getMappedRange(0, labels.length * 16));
      labels.forEach((label, index) => {
        const timing = byLabel.get(label) ?? { label, count: 0, totalMs: 0 };
        timing.count++;
        timing.totalMs += Number(times[2 * index + 1]! - times[2 * index]!) / 1e6;
        byLabel.set(label, timing);
      });
      readable.unmap();
    }
    this.dispose();
    return [...byLabel.values()].sort((a, b) => b.totalMs - a.totalMs);
  }

  /** Frees the queries and their buffers; nothing submitted may still write them. */
  dispose(): void {
    const open = this.#current ? [this.#current] : [];
    this.#current = undefined;
    for (const { queries, resolved, readable } of [...this.#batches.splice(0), ...open]) {
      queries.destroy();
      this.#pool.destroy(resolved);
      this.#pool.destroy(readable);
    }
  }

  #open(): Batch {
    const bytes = queriesPerBatch * 16;
    return {
      queries: this.#device.createQuerySet({ type: "timestamp", count: queriesPerBatch * 2 }),
      labels: [],
      resolved: this.#pool.create(bytes, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC, "timestamps"),
      readable: this.#pool.create(bytes, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ, "timestamps read-back"),
    };
  }
}
