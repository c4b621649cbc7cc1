import { CapabilityError } from "@kto/core";
import { byteSize, checkDtype, f16BitsToNumber, type Dtype } from "../dtype.js";
import { DisposedError, OutOfMemoryError, ShapeError } from "../errors.js";
import { bufferUsage } from "../memory/buffer-usage.js";
import { BufferPool } from "../memory/pool.js";
import { Storage } from "../memory/storage.js";
import { checkShape, expectDtype, sizeOf, type Rows, type Shape } from "../shape.js";
import { Tensor, type TapeNode } from "../tensor.js";
import { rangeOf } from "./buffer-range.js";
import type { Capabilities } from "./capabilities.js";
import { Capture, type Captured } from "./capture.js";
import { DeviceMemory, type PoolInUse } from "./device-memory.js";
import { FailureWatch } from "./failure-watch.js";
import { packNumbers } from "./pack-numbers.js";
import { PipelineCache } from "./pipeline-cache.js";
import { Profiler } from "./profile.js";
import { CommandQueue } from "./queue.js";
import { Reader } from "./reader.js";
import { Recorder } from "./recorder.js";
import { Arena, nodesBehind } from "./scope.js";
import { Uploads } from "./uploads.js";

/** What a device is made of; `requestDevice` fills it in. */
export interface DeviceParts {
  gpuDevice: GPUDevice;
  capabilities: Capabilities;
  release(): void;
  /** It computes nothing: see `rehearsalDevice`. */
  isRehearsal?: boolean;
}

/** A GPU: makes tensors, records kernels, keeps memory. One owner; dispose it to let the process exit. */
export class Device implements Disposable, AsyncDisposable {
  readonly gpuDevice: GPUDevice;
  readonly capabilities: Capabilities;
  /** What its buffers take and may take. */
  readonly memory: DeviceMemory;
  /** What kernels are recorded with. */
  readonly recorder: Recorder;
  readonly #pipelines: PipelineCache;
  readonly #queue: CommandQueue;
  readonly #inUse: PoolInUse;
  readonly #release: () => void;
  readonly #arenas: Arena[] = [];
  #unscoped = 0;
  #withoutGradients = 0;
  #fit: number | undefined;
  readonly #failures: FailureWatch;
  #disposed = false;
  #captured: Captured | undefined;

  constructor({ gpuDevice, capabilities, release, isRehearsal = false }: DeviceParts) {
    this.gpuDevice = gpuDevice;
    this.capabilities = capabilities;
    this.#release = release;
    this.#failures = new FailureWatch(gpuDevice, () => this.#disposed);
    const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer =>
      this.#failures.createBuffer(descriptor, (buffer) => this.#outOfMemory(buffer, descriptor));
    const pool = new BufferPool({ createBuffer }, capabilities.maxBufferBytes);
    this.#inUse = { pool };
    const queue = new CommandQueue(gpuDevice, pool);
    queue.isRehearsing = isRehearsal;
    pool.beforeDestroy = () => queue.flush();
    const pipelines = new PipelineCache(gpuDevice, (error) => this.#failures.fail(error));
    this.#queue = queue;
    this.#pipelines = pipelines;
    this.memory = new DeviceMemory({
      inUse: this.#inUse,
      queue,
      pipelines,
      sync: () => this.sync(),
      scope: (body) => this.scope("rehearsal", body),
    });
    this.recorder = new Recorder({ queue, pipelines, capabilities, makeProfiler: () => new Profiler(gpuDevice, pool) });
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Throws DisposedError once the device was disposed. */
  expectAlive(op: string): void {
    if (this.#disposed) throw new DisposedError(`${op}: the device was disposed; do it before device.dispose()`);
  }

  // --- making tensors

  /**
   * A tensor with arbitrary contents.
   *
   * @param rowCapacity  rows to make room for, where there may be more than this tensor has: see `rowsLike`
   */
  empty(shape: Shape, dtype: Dtype, label = "empty", rowCapacity?: number): Tensor {
    checkShape(label, shape);
    checkDtype(label, dtype);
    this.expectAlive(label);
    const storage = new Storage(this.#inUse.pool, Math.max(4, capacityOf(shape, rowCapacity) * byteSize(dtype)), label, this.#fit);
    return this.#own(new Tensor(this, storage, [...shape], dtype, label, 0, rowCapacity));
  }

  /**
   * As `empty`, for a result that has a row for each row of `x`: it gets room for as many as `x` has (`x.rowCapacity`). Batches of different lengths, made
   * with the capacity of the longest, then ask for the same buffers, so that none is made anew and bind groups are found. A result with another number
   * of rows takes what it needs. Shapes and contents are not touched.
   */
  rowsLike(x: Rows, shape: Shape, dtype: Dtype, label?: string): Tensor {
    return this.empty(shape, dtype, label, shape[0] === x.shape[0] ? x.rowCapacity : undefined);
  }

  zeros(shape: Shape, dtype: Dtype, label = "zeros", rowCapacity?: number): Tensor {
    const tensor = this.empty(shape, dtype, label, rowCapacity);
    this.#queue.clear(rangeOf(tensor));
    return tensor;
  }

  /** Copies host numbers to the device; f16 rounds to nearest even. Throws ShapeError on a wrong count, DtypeError on a value f16 cannot hold. */
  tensor(data: ArrayLike<number>, shape: Shape, dtype: Dtype, label = "tensor", rowCapacity?: number): Tensor {
    checkShape(label, shape);
    checkDtype("tensor", dtype);
    if (data.length !== sizeOf(shape))
      throw new ShapeError(`tensor: ${label}: expected ${sizeOf(shape)} numbers for shape [${shape.join(", ")}], got ${data.length}`);
    return this.fromBytes(packNumbers(data, dtype, label), shape, dtype, label, rowCapacity);
  }

  /** Copies bytes in the device's layout (little-endian, row-major) to a new tensor. */
  fromBytes(bytes: Uint8Array, shape: Shape, dtype: Dtype, label = "tensor", rowCapacity?: number): Tensor {
    const tensor = this.empty(shape, dtype, label, rowCapacity);
    this.writeBytes(tensor, bytes);
    return tensor;
  }

  /** Overwrites part of a tensor from `byteOffset`; both it and the length must be multiples of 4 unless the write reaches the end. */
  writeBytes(tensor: Tensor, bytes: Uint8Array, byteOffset = 0): void {
    tensor.expectAlive("write");
    if (byteOffset + bytes.byteLength > tensor.byteLength) {
      throw new ShapeError(`write: ${tensor.label}: expected at most ${tensor.byteLength - byteOffset} bytes, got ${bytes.byteLength}`);
    }
    if (bytes.byteLength === 0) return;
    let source = bytes as Uint8Array<ArrayBuffer>;
    if (bytes.byteLength % 4 !== 0) {
      source = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
      source.set(bytes);
    }
    this.#queue.write({ buffer: tensor.storage.buffer, offset: tensor.byteOffset + byteOffset, size: source.byteLength }, source);
  }

  /** For where much is written: see `Uploads`, its caller's to dispose. */
  uploads(): Uploads {
    this.expectAlive("uploads");
    this.#expectComputing("write");
    const queue = this.#queue;
    const uploads: Uploads = new Uploads({
      pool: this.#inUse.pool,
      copy: (from, to) => queue.copy(from, to),
      flush: () => void queue.flush(),
      onDispose: () => void (queue.uploads === uploads && (queue.uploads = undefined)),
    });
    queue.uploads = uploads;
    return uploads;
  }

  /**
   * The same storage under another shape, from `byteOffset` (a multiple of 256) on. Not on the tape: see the op `view`.
   *
   * @param rowCapacity  default that of the tensor, for a view with as many rows
   */
  viewOf(
    tensor: Tensor,
    shape: Shape,
    byteOffset: number,
    label: string,
    dtype: Dtype = tensor.dtype,
    rowCapacity: number | undefined = shape[0] === tensor.shape[0] ? tensor.rowCapacity : undefined,
  ): Tensor {
    tensor.expectAlive(label);
    return this.#own(new Tensor(this, tensor.storage.retain(), [...shape], dtype, label, byteOffset, rowCapacity));
  }

  /** A copy in a storage of its own, not on the tape. */
  copyOf(tensor: Tensor): Tensor {
    const copy = this.rowsLike(tensor, tensor.shape, tensor.dtype, tensor.label);
    this.copyInto(copy, tensor);
    return copy;
  }

  /** Overwrites `target` with `source`; same size and dtype. */
  copyInto(target: Tensor, source: Tensor): void {
    for (const tensor of [target, source]) tensor.expectAlive("copy");
    if (target.size !== source.size || target.dtype !== source.dtype)
      throw new ShapeError(`copy: ${target.label} and ${source.label} differ in size or dtype`);
    this.#queue.copy(rangeOf(source), rangeOf(target));
  }

  // --- running again

  /**
   * Takes down what `body` records, without running it: `run` of what comes back does, as often as it is called. Sizes and buffers are those of now, so what
   * differs from run to run lies in tensors from outside; their memory stays theirs until the capture ends. `body` must not write host data, read, or use the
   * tape.
   */
  capture<T>(body: () => T): Capture<T> {
    const { pool } = this.#inUse;
    const taken: Captured = { branch: pool.branch(), commands: [], held: new Set() };
    this.#inUse.pool = taken.branch;
    this.#captured = taken;
    this.#queue.captured = taken.commands;
    try {
      const result = this.unscoped(() => this.noGrad(() => this.scope("capture", body)));
      return new Capture({ gpuDevice: this.gpuDevice, queue: this.#queue, pool, ...taken, result });
    } catch (error) {
      for (const storage of taken.held) storage.release();
      taken.branch.trim();
      throw error;
    } finally {
      this.#queue.captured = undefined;
      this.#captured = undefined;
      this.#inUse.pool = pool;
    }
  }

  /** Used where a tensor is bound or copied: what a capture names must live as long as it does. */
  noteUse(storage: Storage): void {
    if (this.#captured === undefined || storage.isOf(this.#captured.branch) || this.#captured.held.has(storage)) return;
    this.#captured.held.add(storage.retain());
  }

  // --- scopes and the tape

  /** Runs `body`; every tensor made inside is freed at its end, except those that it returns (also inside arrays, maps and plain objects). */
  scope<T>(body: () => T): T;
  scope<T>(label: string, body: () => T): T;
  scope<T>(first: string | (() => T), second?: () => T): T {
    const [label, body] = typeof first === "string" ? [first, second!] : ["scope", first];
    const arena = new Arena(label);
    const unscoped = this.#unscoped;
    this.#unscoped = 0;
    this.#arenas.push(arena);
    let survivors: unknown;
    try {
      const result = body();
      survivors = result;
      return result;
    } finally {
      this.#arenas.pop();
      this.#unscoped = unscoped;
      arena.close(survivors, unscoped > 0 ? undefined : this.#arenas.at(-1));
    }
  }

  /** Runs `body` outside any scope: what it makes belongs to the caller. */
  unscoped<T>(body: () => T): T {
    this.#unscoped++;
    try {
      return body();
    } finally {
      this.#unscoped--;
    }
  }

  /** Puts an owned tensor under the current scope, with what the tape keeps for it. */
  adopt(tensor: Tensor): Tensor {
    const arena = this.#arenas.at(-1);
    if (arena) for (const node of nodesBehind(tensor)) arena.nodes.add(node);
    return this.#own(tensor);
  }

  /** Runs `body`, whose tensors may take free buffers up to `fit` times as large as they need: little for what lives long, more for what does not. */
  withFit<T>(fit: number, body: () => T): T {
    const before = this.#fit;
    this.#fit = fit;
    try {
      return body();
    } finally {
      this.#fit = before;
    }
  }

  /** Runs `body` without putting anything on the tape. */
  noGrad<T>(body: () => T): T {
    this.#withoutGradients++;
    try {
      return body();
    } finally {
      this.#withoutGradients--;
    }
  }

  get isRecordingGradients(): boolean {
    return this.#withoutGradients === 0;
  }

  /** Used by ops: lets the current scope free a node that nothing returned reaches. */
  register<N extends TapeNode>(node: N): N {
    this.#arenas.at(-1)?.nodes.add(node);
    return node;
  }

  // --- waiting

  /** Copies a tensor's elements to the host; f16 is widened to f32. Throws what went wrong on the GPU since the last wait. */
  async read(tensor: Tensor): Promise<Float32Array | Uint32Array | Int32Array> {
    const bytes = await this.readBytes(tensor);
    if (tensor.dtype === "f32") return new Float32Array(bytes.buffer);
    if (tensor.dtype === "u32") return new Uint32Array(bytes.buffer);
    if (tensor.dtype === "i32") return new Int32Array(bytes.buffer);
    return Float32Array.from(new Uint16Array(bytes.buffer), f16BitsToNumber);
  }

  /** Reads several f32 tensors with one wait. */
  async readAll(tensors: readonly Tensor[]): Promise<Float32Array[]> {
    if (tensors.length === 0) return [];
    this.expectAlive("readAll");
    this.#expectComputing("readAll");
    const total = tensors.reduce((bytes, tensor) => bytes + rangeOf(tensor).size, 0);
    const staging = this.#inUse.pool.create(total, bufferUsage.mapRead | bufferUsage.copyTarget, "read-back");
    try {
      let offset = 0;
      const offsets = tensors.map((tensor) => {
        tensor.expectAlive("readAll");
        expectDtype("readAll", tensor.label, tensor, "f32");
        const range = rangeOf(tensor);
        this.#queue.copy(range, { buffer: staging, offset, size: range.size });
        offset += range.size;
        return offset - range.size;
      });
      await this.#finished(() => staging.mapAsync(GPUMapMode.READ));
      const bytes = staging.getMappedRange().slice(0);
      return tensors.map((tensor, index) => new Float32Array(bytes, offsets[index], tensor.size));
    } finally {
      this.#inUse.pool.destroy(staging);
    }
  }

  /** Copies a tensor's bytes to the host. */
  async readBytes(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>> {
    tensor.expectAlive("read");
    this.expectAlive("read");
    if (tensor.byteLength === 0) return new Uint8Array(0);
    using reader = this.reader(rangeOf(tensor).size);
    return await reader.readBytes(tensor);
  }

  /** For what is read again and again, with so many buffers from the start: see `Reader`, its caller's to dispose. */
  reader(byteLength: number, count = 0): Reader {
    this.expectAlive("reader");
    this.#expectComputing("read");
    const { pool } = this.#inUse;
    return new Reader(
      { pool, copy: (from, to) => this.#queue.copy(from, to), finished: (wait) => this.#finished(wait) },
      byteLength,
      count,
    );
  }

  /** Submits what is recorded and waits until it has run. */
  async sync(): Promise<void> {
    this.expectAlive("sync");
    await this.#finished(() => this.gpuDevice.queue.onSubmittedWorkDone());
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#queue.dispose();
    this.#inUse.pool.trim();
    this.gpuDevice.destroy();
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.#disposed && !this.#failures.hasFailed) await this.sync();
    } finally {
      await this.#pipelines.idle(); // Dawn waits for its compilers anyway, and nothing else runs meanwhile
      this.dispose();
    }
  }

  /** A rehearsal makes no numbers that could be read. */
  #expectComputing(operation: string): void {
    if (!this.#queue.isRehearsing) return;
    throw new CapabilityError(
      { operation, problem: "nothing is computed while a device rehearses", expected: "a device of requestDevice", got: "a rehearsal" },
      { missing: "numbers" },
    );
  }

  /** Submits what is recorded, and waits for what tells that it is done. */
  async #finished(wait: () => Promise<unknown>): Promise<void> {
    const submission = this.#queue.flush();
    await this.#failures.settle(wait(), this.#pipelines);
    this.#queue.finished(submission);
  }

  #outOfMemory(buffer: GPUBuffer, { size, label }: GPUBufferDescriptor): () => OutOfMemoryError {
    const allocatedBytes = this.#inUse.pool.info().allocatedBytes - size;
    this.#inUse.pool.abandon(buffer);
    return () => {
      const freeBytes = this.memory.readFreeBytes();
      return new OutOfMemoryError(
        {
          operation: "GPU",
          problem: `out of memory; asked for ${size} bytes (${label}) beside ${allocatedBytes} bytes that this process holds${freeBytes === undefined ? "" : `, with ${freeBytes} bytes free`}`,
          advice: "close what else uses the GPU",
        },
        { requestedBytes: size, allocatedBytes, freeBytes },
      );
    };
  }

  #own(tensor: Tensor): Tensor {
    const arena = this.#unscoped > 0 ? undefined : this.#arenas.at(-1);
    tensor.arena = arena;
    arena?.tensors.add(tensor);
    return tensor;
  }
}

/** Elements that a tensor of this shape has memory for. */
function capacityOf(shape: Shape, rowCapacity: number | undefined): number {
  const size = sizeOf(shape);
  return rowCapacity === undefined || shape.length === 0 || size === 0 ? size : (size / shape[0]!) * Math.max(rowCapacity, shape[0]!);
}
