import { KernelError } from "../errors.js";
import type { BindingType } from "../platform/webgpu-types.js";

/** A pipeline, and how its buffers are bound. */
export interface BoundPipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A compiled kernel variant: each of its pipelines when it is first used. */
export interface CompiledKernel {
  readonly label: string;
  /** For parameters at an offset that each launch names. */
  readonly withOffset: BoundPipeline;
  /** For bind groups that say where the parameters are: a launch costs the host a quarter less. */
  readonly withoutOffset: BoundPipeline;
  /** Bytes of its uniform struct, a multiple of 16. */
  readonly paramsBytes: number;
  /** For the bind-group cache. */
  readonly id: number;
}

/** What is needed to compile one. */
export interface KernelSource {
  key: string;
  label: string;
  wgsl: string;
  bindings: readonly BindingType[];
  paramsBytes: number;
}

/** Compiled kernels by (kernel, variant, spec). Compilation errors surface at the next read, with the offending line. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #report: (error: Error) => void;
  readonly #compiled = new Map<string, CompiledKernel>();
  readonly #checks = new Set<Promise<void>>();
  readonly #compiling = new Map<string, Promise<void>>();
  readonly #anticipated = new Map<string, KernelSource>();

  constructor(device: GPUDevice, report: (error: Error) => void) {
    this.#device = device;
    this.#report = report;
  }

  get size(): number {
    return this.#compiled.size;
  }

  find(key: string): CompiledKernel | undefined {
    return this.#compiled.get(key);
  }

  /** Compiles without waiting; what is wrong with it is told later. */
  compile(source: KernelSource): CompiledKernel {
    return this.#remember(source, this.#module(source));
  }

  /** Compiles side by side and without blocking what is neither compiled nor under way, and waits for all of it; throws KernelError. */
  async compileAll(sources: Iterable<KernelSource>): Promise<void> {
    await Promise.all([...sources].filter(({ key }) => !this.#compiled.has(key)).map((source) => this.#compileOnce(source)));
  }

  /** Notes a kernel that will be needed. */
  anticipate(source: KernelSource): void {
    if (!this.#compiled.has(source.key)) this.#anticipated.set(source.key, source);
  }

  forgetAnticipated(): void {
    this.#anticipated.clear();
  }

  /** What was noted and not forgotten since. */
  get anticipated(): readonly KernelSource[] {
    return [...this.#anticipated.values()];
  }

  /** Waits until nothing is under way; what went wrong is told elsewhere. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#compiling.values());
  }

  /** Waits until the compiler has spoken about every module. */
  async settle(): Promise<void> {
    await Promise.all(this.#checks);
  }

  /** A kernel that is under way is waited for. */
  #compileOnce(source: KernelSource): Promise<void> {
    const underWay = this.#compiling.get(source.key);
    if (underWay) return underWay;
    const compiling = this.#compileAsync(source).finally(() => this.#compiling.delete(source.key));
    this.#compiling.set(source.key, compiling);
    return compiling;
  }

  async #compileAsync(source: KernelSource): Promise<void> {
    const module = this.#module(source);
    const layout = this.#layout(source, { hasDynamicOffset: true });
    const pipeline = await this.#device.createComputePipelineAsync(this.#descriptor(source, module, layout));
    if (!this.#compiled.has(source.key)) this.#remember(source, module, { pipeline, layout });
  }

  #module(source: KernelSource): GPUShaderModule {
    const module = this.#device.createShaderModule({ label: source.label, code: source.wgsl });
    const check = this.#check(source, module).finally(() => this.#checks.delete(check));
    this.#checks.add(check);
    return module;
  }

  #bind(source: KernelSource, module: GPUShaderModule, offset: { hasDynamicOffset: boolean }): BoundPipeline {
    const layout = this.#layout(source, offset);
    return { pipeline: this.#device.createComputePipeline(this.#descriptor(source, module, layout)), layout };
  }

  #layout({ label, bindings, paramsBytes }: KernelSource, { hasDynamicOffset }: { hasDynamicOffset: boolean }): GPUBindGroupLayout {
    const visibility = GPUShaderStage.COMPUTE;
    return this.#device.createBindGroupLayout({
      label,
      entries: [
        { binding: 0, visibility, buffer: { type: "uniform", hasDynamicOffset, minBindingSize: paramsBytes } },
        ...bindings.map((type, index) => ({ binding: index + 1, visibility, buffer: { type } })),
      ],
    });
  }

  #descriptor({ label }: KernelSource, module: GPUShaderModule, layout: GPUBindGroupLayout): GPUComputePipelineDescriptor {
    return {
      label,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    };
  }

  #remember(source: KernelSource, module: GPUShaderModule, withOffset?: BoundPipeline): CompiledKernel {
    const bind = (hasDynamicOffset: boolean): BoundPipeline => this.#bind(source, module, { hasDynamicOffset });
    let withoutOffset: BoundPipeline | undefined;
    const compiled: CompiledKernel = {
      label: source.label,
      paramsBytes: source.paramsBytes,
      id: this.#compiled.size,
      get withOffset() {
        return (withOffset ??= bind(true));
      },
      get withoutOffset() {
        return (withoutOffset ??= bind(false));
      },
    };
    this.#compiled.set(source.key, compiled);
    return compiled;
  }

  async #check(source: KernelSource, module: GPUShaderModule): Promise<void> {
    const { messages } = await module.getCompilationInfo();
    const lines = source.wgsl.split("\n");
    for (const { type, message, lineNum } of messages) {
      if (type === "info") continue;
      this.#report(
        new KernelError(`compile: ${source.label}: ${type} in line ${lineNum}: ${message}: ${(lines[lineNum - 1] ?? "").trim()}`),
      );
    }
  }
}
