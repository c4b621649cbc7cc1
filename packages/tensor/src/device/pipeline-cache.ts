import { KernelError } from "../errors.js";
import type { BindingType } from "../platform/webgpu-types.js";

/** A compiled kernel variant. */
export interface CompiledKernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
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

  /** Compiles at once; the driver may work on it until its first use. */
  compile(source: KernelSource): CompiledKernel {
    const { module, layout, pipelineLayout } = this.#prepare(source);
    const pipeline = this.#device.createComputePipeline({
      label: source.label,
      layout: pipelineLayout,
      compute: { module, entryPoint: "main" },
    });
    return this.#remember(source, pipeline, layout);
  }

  /** Compiles without blocking, for warming up many in parallel; throws KernelError. */
  async compileAsync(source: KernelSource): Promise<CompiledKernel> {
    const { module, layout, pipelineLayout } = this.#prepare(source);
    const pipeline = await this.#device.createComputePipelineAsync({
      label: source.label,
      layout: pipelineLayout,
      compute: { module, entryPoint: "main" },
    });
    return this.#compiled.get(source.key) ?? this.#remember(source, pipeline, layout);
  }

  /** Notes a kernel that will be needed, for `warmUp`. */
  anticipate(source: KernelSource): void {
    if (!this.#compiled.has(source.key)) this.#anticipated.set(source.key, source);
  }

  forgetAnticipated(): void {
    this.#anticipated.clear();
  }

  /** Compiles what the last rehearsal of the device ran, side by side; throws KernelError. */
  async warmUp(): Promise<void> {
    const sources = [...this.#anticipated.values()];
    this.#anticipated.clear();
    await Promise.all(sources.map((source) => this.compileAsync(source)));
  }

  /** Waits until the compiler has spoken about every module. */
  async settle(): Promise<void> {
    await Promise.all(this.#checks);
  }

  #prepare(source: KernelSource): { module: GPUShaderModule; layout: GPUBindGroupLayout; pipelineLayout: GPUPipelineLayout } {
    const module = this.#device.createShaderModule({ label: source.label, code: source.wgsl });
    const check = this.#check(source, module).finally(() => this.#checks.delete(check));
    this.#checks.add(check);
    const uniform: GPUBindGroupLayoutEntry = {
      binding: 0,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: source.paramsBytes },
    };
    const layout = this.#device.createBindGroupLayout({
      label: source.label,
      entries: [
        uniform,
        ...source.bindings.map((type, index) => ({ binding: index + 1, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
      ],
    });
    return { module, layout, pipelineLayout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }) };
  }

  #remember(source: KernelSource, pipeline: GPUComputePipeline, layout: GPUBindGroupLayout): CompiledKernel {
    const compiled = { label: source.label, pipeline, layout, paramsBytes: source.paramsBytes, id: this.#compiled.size };
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
