import { CapabilityError } from "@kto/core";
import type { BufferRange } from "./buffer-range.js";
import type { Capabilities } from "./capabilities.js";
import { ForcedVariants } from "./forced-variants.js";
import type { CompiledKernel, KernelSource, PipelineCache } from "./pipeline-cache.js";
import type { KernelTiming, Profiler } from "./profile.js";
import type { CommandQueue } from "./queue.js";

/** What a device lends its recorder. */
export interface RecorderParts {
  queue: CommandQueue;
  pipelines: PipelineCache;
  capabilities: Capabilities;
  makeProfiler(): Profiler;
}

/** What kernels and copies are recorded with, which of their variants run, and how long they take: `device.recorder`. */
export class Recorder {
  /** Forces a variant of a kernel, or a way of an op, for tests and for bisecting: `device.recorder.variants.set("matmul", "plain")`. */
  readonly variants: ForcedVariants = new ForcedVariants();
  readonly #parts: RecorderParts;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** Dispatches since the device was made. */
  get numDispatches(): number {
    return this.#parts.queue.dispatches;
  }

  /** Kernels compiled so far. */
  get numPipelines(): number {
    return this.#parts.pipelines.size;
  }

  /** Nothing is recorded: see `DeviceMemory.rehearse`. */
  get isRehearsing(): boolean {
    return this.#parts.queue.isRehearsing;
  }

  /** Kernels that the last rehearsal ran and that were not compiled then. */
  get anticipated(): readonly KernelSource[] {
    return this.#parts.pipelines.anticipated;
  }

  /** Compiles kernels ahead of their first use, side by side: those of the last rehearsal, or others, as of a rehearsal on another device. Throws KernelError. */
  async warmUp(sources: Iterable<KernelSource> = this.anticipated): Promise<void> {
    await this.#parts.pipelines.compileAll(sources);
  }

  /** Times every dispatch of `body`, which may await. Throws CapabilityError without timestamp queries. */
  async profile<T>(body: () => T | Promise<T>): Promise<{ result: T; timings: KernelTiming[] }> {
    const { queue, capabilities } = this.#parts;
    if (!capabilities.timestampQuery) throw new CapabilityError(`profile: "${capabilities.description}" has no timestamp queries`);
    queue.flush();
    const profiler = this.#parts.makeProfiler();
    queue.profiler = profiler;
    try {
      const result = await body();
      queue.flush();
      return { result, timings: await profiler.finish() };
    } finally {
      queue.flush(); // what `body` recorded before it threw still names the queries
      queue.profiler = undefined;
      profiler.dispose();
    }
  }

  /** For kernels: notes one that a rehearsal ran. */
  anticipate(source: KernelSource): void {
    this.#parts.pipelines.anticipate(source);
  }

  /** For kernels: the pipeline of a source, compiled at its first use. */
  pipeline(source: KernelSource): CompiledKernel {
    const { pipelines } = this.#parts;
    return pipelines.find(source.key) ?? pipelines.compile(source);
  }

  /** For kernels: one dispatch, after everything recorded so far. */
  dispatch(
    kernel: CompiledKernel,
    ranges: readonly BufferRange[],
    writeParams: (view: DataView) => void,
    grid: readonly [number, number, number],
  ): void {
    this.#parts.queue.dispatch(kernel, ranges, writeParams, grid, kernel.label);
  }

  /** For ops: copies bytes between buffers; both sizes and offsets are multiples of 4. */
  copy(from: BufferRange, to: BufferRange): void {
    this.#parts.queue.copy(from, to);
  }

  /** For ops: sets bytes to zero. */
  clear(range: BufferRange): void {
    this.#parts.queue.clear(range);
  }

  /** For ops: writes host bytes after everything recorded so far. */
  write(range: BufferRange, data: Uint8Array<ArrayBuffer>): void {
    this.#parts.queue.write(range, data);
  }
}
