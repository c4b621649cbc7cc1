import type { BufferRange } from "./buffer-range.js";
import { KernelError } from "../errors.js";
import type { CapturedCommand, PreparedDispatch } from "./capture.js";
import { bufferUsage } from "../memory/buffer-usage.js";
import type { BufferPool } from "../memory/pool.js";
import type { CompiledKernel } from "./pipeline-cache.js";
import type { Profiler } from "./profile.js";
import type { Uploads } from "./uploads.js";

const dispatchesPerFlush = 256;

/**
 * As many after the GPU had nothing to do, so many times: it begins early, and what is left when the host is done with a pass is little. A prompt of 128 tokens
 * has its first token 3 ms earlier (one H200, 2026-11-30).
 */
const firstDispatches = 32;
const firstSubmissions = 16;

const cachedBindGroups = 16_384;

/** Writes of up to so many bytes are copies within the encoder, as many as fit between two submissions; larger ones are worth a submission of their own. */
const smallWrite = 8192;
const uploadBytes = 16 * smallWrite;

/**
 * Records dispatches into one command encoder and submits it every few hundred. Parameters of the recorded dispatches lie in one uniform buffer,
 * bound with dynamic offsets, so that bind groups depend only on the buffers and are cached.
 */
export class CommandQueue {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #alignment: number;
  readonly #ring: GPUBuffer;
  readonly #staging: Uint8Array<ArrayBuffer>;
  #ringUsed = 0;
  readonly #uploads: GPUBuffer;
  readonly #uploading: Uint8Array<ArrayBuffer> = new Uint8Array(uploadBytes);
  #uploadsUsed = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #recorded = 0;
  #submissions = 0;
  /** How many of them there were when the GPU last had nothing to do. */
  #idleAt = 0;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #bufferIds = new WeakMap<GPUBuffer, number>();
  #nextBufferId = 0;
  /** Dispatches since the device was made. */
  dispatches = 0;
  profiler: Profiler | undefined;
  /** Nothing is recorded: see `Device.rehearse`. */
  isRehearsing = false;
  /** Takes large writes while it has room: see `Device.uploads`. */
  uploads: Uploads | undefined;
  /** Commands go here and not to the GPU: see `Device.capture`. */
  captured: CapturedCommand[] | undefined;

  constructor(device: GPUDevice, pool: BufferPool) {
    this.#device = device;
    this.#pool = pool;
    this.#alignment = Math.max(device.limits.minUniformBufferOffsetAlignment, 64);
    const bytes = dispatchesPerFlush * this.#alignment * 2;
    this.#ring = pool.create(bytes, bufferUsage.uniform | bufferUsage.copyTarget, "uniform ring");
    this.#staging = new Uint8Array(bytes);
    this.#uploads = pool.create(uploadBytes, bufferUsage.copySource | bufferUsage.copyTarget, "uploads");
  }

  dispatch(
    kernel: CompiledKernel,
    ranges: readonly BufferRange[],
    writeParams: (view: DataView) => void,
    grid: readonly [number, number, number],
    label: string,
  ): void {
    if (this.isRehearsing) return;
    if (this.captured) {
      const params = new Uint8Array(kernel.paramsBytes);
      writeParams(new DataView(params.buffer));
      this.captured.push({ type: "dispatch", kernel, ranges, params, grid });
      return;
    }
    const slot = this.slotBytes(kernel.paramsBytes);
    if (this.#ringUsed + slot > this.#staging.byteLength || this.#recorded >= this.#enough()) this.flush();
    writeParams(new DataView(this.#staging.buffer, this.#ringUsed, kernel.paramsBytes));
    const group = this.#bindGroup(kernel, ranges);
    const pass = this.#passFor(label);
    pass.setPipeline(kernel.withOffset.pipeline);
    pass.setBindGroup(0, group, [this.#ringUsed]);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    this.#count();
    this.#ringUsed += slot;
  }

  /** One dispatch of a capture, whose bind group names its parameters too. */
  dispatchAgain({ label, pipeline, group, grid }: PreparedDispatch): void {
    if (this.#recorded >= this.#enough()) this.flush();
    const pass = this.#passFor(label);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    this.#count();
  }

  /** Bytes that parameters of so many take among others in one buffer. */
  slotBytes(paramsBytes: number): number {
    return Math.ceil(paramsBytes / this.#alignment) * this.#alignment;
  }

  copy(from: BufferRange, to: BufferRange): void {
    if (this.isRehearsing) return;
    if (this.captured) {
      this.captured.push({ type: "copy", from, to });
      return;
    }
    this.#closePass();
    this.#open().copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.size);
    this.#recorded++;
  }

  clear(range: BufferRange): void {
    if (this.isRehearsing) return;
    if (this.captured) {
      this.captured.push({ type: "clear", range });
      return;
    }
    this.#closePass();
    this.#open().clearBuffer(range.buffer, range.offset, range.size);
    this.#recorded++;
  }

  /** Writes host bytes, a multiple of 4, after everything recorded so far. */
  write(range: BufferRange, data: Uint8Array<ArrayBuffer>): void {
    if (this.isRehearsing) return;
    if (this.captured)
      throw new KernelError("capture: host data would be written once and not again; write it before, to a tensor from outside");
    if (data.byteLength > smallWrite) {
      if (this.uploads?.write(range, data)) return;
      this.flush();
      this.#device.queue.writeBuffer(range.buffer, range.offset, data);
      return;
    }
    if (this.#uploadsUsed + data.byteLength > uploadBytes) this.flush();
    const offset = this.#uploadsUsed;
    this.#uploading.set(data, offset);
    this.#uploadsUsed += data.byteLength;
    this.copy({ buffer: this.#uploads, offset, size: data.byteLength }, range);
  }

  /** Submits what is recorded, and counts the submissions. */
  flush(): number {
    this.#closePass();
    this.profiler?.resolve(this.#open());
    if (!this.#encoder) return this.#submissions;
    if (this.#ringUsed > 0) this.#device.queue.writeBuffer(this.#ring, 0, this.#staging, 0, this.#ringUsed);
    if (this.#uploadsUsed > 0) this.#device.queue.writeBuffer(this.#uploads, 0, this.#uploading, 0, this.#uploadsUsed);
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#ringUsed = 0;
    this.#uploadsUsed = 0;
    this.#recorded = 0;
    this.#submissions += 1;
    return this.#submissions;
  }

  /** Told when all up to this submission is done: the GPU waits, if there was none since. */
  finished(submission: number): void {
    if (submission === this.#submissions) this.#idleAt = submission;
  }

  /** Forgets bind groups, so that buffers they name can be destroyed. */
  forgetBindGroups(): void {
    this.#bindGroups.clear();
  }

  dispose(): void {
    this.#bindGroups.clear();
    this.#pool.destroy(this.#ring);
    this.#pool.destroy(this.#uploads);
  }

  /** Dispatches after which they are submitted. */
  #enough(): number {
    return this.#submissions - this.#idleAt < firstSubmissions ? firstDispatches : dispatchesPerFlush;
  }

  #passFor(label: string): GPUComputePassEncoder {
    return this.profiler ? this.#timedPass(label) : this.#openPass();
  }

  #count(): void {
    if (this.profiler) this.#closePass();
    this.#recorded++;
    this.dispatches++;
  }

  #open(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #openPass(): GPUComputePassEncoder {
    this.#pass ??= this.#open().beginComputePass();
    return this.#pass;
  }

  #timedPass(label: string): GPUComputePassEncoder {
    this.#closePass();
    const timestampWrites = this.profiler!.begin(label); // may make buffers, and submit what is recorded for their room
    this.#pass = this.#open().beginComputePass({ timestampWrites });
    return this.#pass;
  }

  #closePass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #bindGroup(kernel: CompiledKernel, ranges: readonly BufferRange[]): GPUBindGroup {
    let key = `${kernel.id}`;
    for (const { buffer, offset, size } of ranges) key += `|${this.#idOf(buffer)},${offset},${size}`;
    let group = this.#bindGroups.get(key);
    if (group) return group;
    if (this.#bindGroups.size >= cachedBindGroups) this.#bindGroups.clear();
    group = this.#device.createBindGroup({
      layout: kernel.withOffset.layout,
      entries: [
        { binding: 0, resource: { buffer: this.#ring, offset: 0, size: kernel.paramsBytes } },
        ...ranges.map((range, index) => ({ binding: index + 1, resource: range })),
      ],
    });
    this.#bindGroups.set(key, group);
    return group;
  }

  #idOf(buffer: GPUBuffer): number {
    let id = this.#bufferIds.get(buffer);
    if (id === undefined) this.#bufferIds.set(buffer, (id = this.#nextBufferId++));
    return id;
  }
}
