import { DeviceLostError, KernelError, OutOfMemoryError } from "../errors.js";
import type { PipelineCache } from "./pipeline-cache.js";

/** What went wrong on a GPU since the last wait. WebGPU tells it late, and each kind in a place of its own. */
export class FailureWatch {
  readonly #gpuDevice: GPUDevice;
  readonly #newBuffers = new Set<Promise<void>>();
  #failure: Error | undefined;

  constructor(gpuDevice: GPUDevice, isDisposed: () => boolean) {
    this.#gpuDevice = gpuDevice;
    gpuDevice.addEventListener("uncapturederror", (event) => {
      event.preventDefault(); // the default action prints it
      this.fail(new DeviceLostError(`GPU: ${event.error.message}`));
    });
    void gpuDevice.lost.then((info) => {
      if (!isDisposed()) this.fail(new DeviceLostError(`GPU: the device was lost (${info.reason}): ${info.message}`));
    });
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Remembers the first failure, or the cause behind it (a shader error, a lack of memory), which is reported later than what follows from it. */
  fail(error: Error): void {
    const isCause = (candidate: Error): boolean => candidate instanceof KernelError || candidate instanceof OutOfMemoryError;
    if (!this.#failure || (isCause(error) && !isCause(this.#failure))) this.#failure = error;
  }

  /** A buffer. `onLackOfMemory` is called if it turns out that the driver has no memory for it; what it gives makes the error, and is called for the first buffer only. */
  createBuffer(descriptor: GPUBufferDescriptor, onLackOfMemory: (buffer: GPUBuffer) => () => OutOfMemoryError): GPUBuffer {
    this.#gpuDevice.pushErrorScope("out-of-memory");
    const buffer = this.#gpuDevice.createBuffer(descriptor);
    this.#newBuffers.add(
      this.#gpuDevice.popErrorScope().then(
        (error) => {
          if (!error) return;
          const makeError = onLackOfMemory(buffer);
          if (!(this.#failure instanceof OutOfMemoryError)) this.fail(makeError());
        },
        () => undefined, // the device is gone, which `lost` tells
      ),
    );
    return buffer;
  }

  /** Waits for `work`, and for what can still be said of shaders and buffers; throws what went wrong. After a lack of memory the device can go on. */
  async settle(work: Promise<unknown>, pipelines: PipelineCache): Promise<void> {
    try {
      await work;
    } catch (cause) {
      this.fail(new DeviceLostError(`GPU: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
    }
    await pipelines.settle();
    if (this.#newBuffers.size > 0) {
      const pending = [...this.#newBuffers];
      this.#newBuffers.clear();
      await Promise.all(pending);
    }
    const failure = this.#failure;
    if (!failure) return;
    // The buffers without memory are out of use and what named them did not run.
    if (failure instanceof OutOfMemoryError) this.#failure = undefined;
    throw failure;
  }
}
