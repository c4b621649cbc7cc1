import { bufferUsage } from "../memory/buffer-usage.js";
import type { BufferPool } from "../memory/pool.js";
import type { Storage } from "../memory/storage.js";
import type { Tensor } from "../tensor.js";
import type { BufferRange } from "./buffer-range.js";
import type { CompiledKernel } from "./pipeline-cache.js";
import type { CommandQueue } from "./queue.js";
import { collectTensors } from "./scope.js";

/** A command as it was recorded. */
export type CapturedCommand =
  | {
      type: "dispatch";
      kernel: CompiledKernel;
      ranges: readonly BufferRange[];
      params: Uint8Array<ArrayBuffer>;
      grid: readonly [number, number, number];
    }
  | { type: "copy"; from: BufferRange; to: BufferRange }
  | { type: "clear"; range: BufferRange };

/** A dispatch that needs no more of the host than to be named. */
export interface PreparedDispatch {
  label: string;
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  grid: readonly [number, number, number];
}

type PreparedCommand = ({ type: "dispatch" } & PreparedDispatch) | Exclude<CapturedCommand, { type: "dispatch" }>;

/** What a body recorded. */
export interface Captured {
  /** Where its tensors are from. */
  branch: BufferPool;
  commands: CapturedCommand[];
  /** What it used from outside, retained. */
  held: Set<Storage>;
}

/** What a capture is made of; `Device.capture` fills it in. */
interface CaptureParts<T> extends Captured {
  gpuDevice: GPUDevice;
  queue: CommandQueue;
  /** The device's own. */
  pool: BufferPool;
  result: T;
}

/**
 * Commands that run as often as they are asked to, on the same buffers: what is in the tensors from outside at that time is computed with. Costs the host
 * a fraction of recording them anew. Owns every tensor that its body made and gave; dispose it.
 */
export class Capture<T> implements Disposable {
  /** What the body gave: its tensors hold what the last run left there. */
  readonly result: T;
  readonly #parts: CaptureParts<T>;
  readonly #params: GPUBuffer | undefined;
  readonly #commands: readonly PreparedCommand[];
  #isDisposed = false;

  constructor(parts: CaptureParts<T>) {
    this.#parts = parts;
    this.result = parts.result;
    this.#params = this.#writeParams();
    let offset = 0;
    this.#commands = parts.commands.map((command): PreparedCommand => {
      if (command.type !== "dispatch") return command;
      const { kernel, ranges, grid } = command;
      const { pipeline, layout } = kernel.withoutOffset;
      const group = parts.gpuDevice.createBindGroup({
        layout,
        entries: [
          { binding: 0, resource: { buffer: this.#params!, offset, size: kernel.paramsBytes } },
          ...ranges.map((range, index) => ({ binding: index + 1, resource: range })),
        ],
      });
      offset += this.#parts.queue.slotBytes(kernel.paramsBytes);
      return { type: "dispatch", label: kernel.label, pipeline, group, grid };
    });
  }

  /** Records all of it again, after everything recorded so far. */
  run(): void {
    const { queue } = this.#parts;
    for (const command of this.#commands) {
      if (command.type === "dispatch") queue.dispatchAgain(command);
      else if (command.type === "copy") queue.copy(command.from, command.to);
      else queue.clear(command.range);
    }
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    const { queue, pool, branch, held } = this.#parts;
    queue.flush(); // what is recorded still names the parameters
    if (this.#params) pool.destroy(this.#params);
    const given = new Set<Tensor>();
    collectTensors(this.result, given);
    for (const tensor of given) if (tensor.storage.isOf(branch)) tensor.dispose();
    for (const storage of held) storage.release();
    branch.trim();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The parameters of all dispatches in one buffer, in their order. */
  #writeParams(): GPUBuffer | undefined {
    const { commands, pool, gpuDevice } = this.#parts;
    const all = commands.flatMap((command) => (command.type === "dispatch" ? [command.params] : []));
    if (all.length === 0) return undefined;
    const bytes = new Uint8Array(all.reduce((sum, params) => sum + this.#parts.queue.slotBytes(params.byteLength), 0));
    let offset = 0;
    for (const params of all) {
      bytes.set(params, offset);
      offset += this.#parts.queue.slotBytes(params.byteLength);
    }
    const buffer = pool.create(bytes.byteLength, bufferUsage.uniform | bufferUsage.copyTarget, "parameters of a capture");
    gpuDevice.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  }
}
