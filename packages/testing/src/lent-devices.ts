/** What npm's `webgpu` has of WebGPU's classes. */
export interface WebGpuClasses {
  GPU: { prototype: GPU };
  GPUAdapter: { prototype: GPUAdapter };
}

/** A device that outlives those who are lent it. */
interface Lender {
  device: GPUDevice;
  /** What made it: collecting that would end the process. */
  gpu: GPU;
  /** Held, so that Dawn finds them again when the same WGSL comes. */
  pipelines: Set<GPUComputePipeline>;
  /** Of the device itself, whose `lost` is covered from the first loan on. */
  lost: Promise<GPUDeviceLostInfo>;
  /** It reported an error, or was lost: nobody gets it again. */
  spoilt: boolean;
}

/**
 * From now on a software device that is destroyed is emptied and lent to the next who asks for one with the same features and limits, since compiling
 * kernels is most of the time of a test on SwiftShader and Dawn keeps what it compiled with the device. Whoever has it sees a device of its own: `lost`
 * resolves when it is destroyed, its buffers go, its listeners too. One that reported an error, or has an error scope left open, is destroyed indeed.
 * Devices of other adapters are as they were.
 */
export function lendDevices({ GPU, GPUAdapter }: WebGpuClasses): void {
  const { requestAdapter } = GPU.prototype;
  const { requestDevice } = GPUAdapter.prototype;
  const madeBy = new WeakMap<GPUAdapter, GPU>();
  const idle = new Map<string, Lender[]>();

  GPU.prototype.requestAdapter = async function (this: GPU, options) {
    const adapter = await requestAdapter.call(this, options);
    if (adapter) madeBy.set(adapter, this);
    return adapter;
  };

  GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, descriptor = {}) {
    const { description } = this.info;
    const gpu = madeBy.get(this);
    if (!gpu || !/swiftshader/i.test(description)) return requestDevice.call(this, descriptor);
    const key = JSON.stringify([description, [...(descriptor.requiredFeatures ?? [])], descriptor.requiredLimits]);
    const lenders = idle.get(key) ?? [];
    idle.set(key, lenders);
    for (let lender = lenders.pop(); lender; lender = lenders.pop()) {
      await lender.device.queue.onSubmittedWorkDone();
      if (!lender.spoilt) return lend(lender, lenders);
      lender.device.destroy();
    }
    return lend(lenderOf(await requestDevice.call(this, descriptor), gpu), lenders);
  };
}

function lenderOf(device: GPUDevice, gpu: GPU): Lender {
  const lender: Lender = { device, gpu, pipelines: new Set(), lost: device.lost, spoilt: false };
  const spoil = (): void => void (lender.spoilt = true);
  device.addEventListener("uncapturederror", spoil);
  void device.lost.then(spoil);
  return lender;
}

/** Covers the methods of the device by some that note what is to be undone; `destroy` takes the cover off and puts the device among `lenders`. */
function lend(lender: Lender, lenders: Lender[]): GPUDevice {
  const { device, pipelines } = lender;
  const real = Object.getPrototypeOf(device) as GPUDevice;
  const buffers = new Set<GPUBuffer>();
  const listeners: Parameters<GPUDevice["addEventListener"]>[] = [];
  let openScopes = 0;
  let end!: (info: GPUDeviceLostInfo) => void;
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => (end = resolve));
  void lender.lost.then(end);

  const cover = {
    lost,
    createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer {
      const buffer = real.createBuffer.call(device, descriptor);
      buffers.add(buffer);
      const { destroy } = buffer;
      buffer.destroy = () => (buffers.delete(buffer), destroy.call(buffer));
      return buffer;
    },
    createComputePipeline(descriptor: GPUComputePipelineDescriptor): GPUComputePipeline {
      const pipeline = real.createComputePipeline.call(device, descriptor);
      pipelines.add(pipeline);
      return pipeline;
    },
    async createComputePipelineAsync(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
      const pipeline = await real.createComputePipelineAsync.call(device, descriptor);
      pipelines.add(pipeline);
      return pipeline;
    },
    addEventListener(...listener: Parameters<GPUDevice["addEventListener"]>): void {
      listeners.push(listener);
      real.addEventListener.apply(device, listener);
    },
    pushErrorScope(filter: GPUErrorFilter): undefined {
      openScopes++;
      return real.pushErrorScope.call(device, filter);
    },
    popErrorScope(): Promise<GPUError | null> {
      openScopes--;
      return real.popErrorScope.call(device);
    },
    destroy(): undefined {
      for (const name of Object.keys(cover)) Reflect.deleteProperty(device, name);
      for (const buffer of buffers) buffer.destroy();
      for (const [type, listener, options] of listeners) device.removeEventListener(type, listener, options);
      if (lender.spoilt || openScopes !== 0) device.destroy();
      else lenders.push(lender);
      end({ reason: "destroyed", message: "destroyed", __brand: "GPUDeviceLostInfo" });
    },
  };
  for (const [name, value] of Object.entries(cover)) Object.defineProperty(device, name, { value, configurable: true, enumerable: true });
  return device;
}
