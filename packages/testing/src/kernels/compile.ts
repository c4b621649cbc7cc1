import type { Device, KernelSource } from "@kto/tensor";
import { exampleSources, type AnyKernel } from "./sources.js";

/** What became of one variant of a kernel with one spec. */
export interface CompileResult {
  label: string;
  /** Errors and warnings of the WGSL compiler, and what the pipeline was refused for. */
  problems: string[];
  /** The module is fine, but this device is too small for the pipeline: it says why. */
  moduleOnly?: string;
}

/** A device without a GPU has the least limits and no shapes of subgroup matrices; that says nothing about a kernel. */
const limit = /workgroup storage|workgroup memory|invocations|workgroup_size|subgroup.?matrix|number of storage buffers|storage buffers/i;

/** Compiles every variant of a kernel with every canonical spec: see `compileSources`. */
export function compileKernel(device: Device, kernel: AnyKernel): Promise<CompileResult[]> {
  return compileSources(device, exampleSources(kernel));
}

/** Compiles kernels, those of another device as well, as modules and, where the device's limits allow, as pipelines. */
export async function compileSources(device: Device, sources: readonly KernelSource[]): Promise<CompileResult[]> {
  const { gpuDevice } = device;
  const results: CompileResult[] = [];
  for (const source of sources) {
    gpuDevice.pushErrorScope("validation");
    const module = gpuDevice.createShaderModule({ label: source.label, code: source.wgsl });
    const { messages } = await module.getCompilationInfo();
    await gpuDevice.popErrorScope();
    const lines = source.wgsl.split("\n");
    const problems = messages
      .filter(({ type }) => type !== "info")
      .map(({ type, message, lineNum }) => `${type} in line ${lineNum}: ${message}: ${(lines[lineNum - 1] ?? "").trim()}`);
    const result: CompileResult = { label: source.label, problems };
    if (problems.length === 0) {
      const refusal = await pipelineRefusal(device, source);
      if (refusal && limit.test(refusal)) result.moduleOnly = refusal;
      else if (refusal) problems.push(refusal);
    }
    results.push(result);
  }
  return results;
}

async function pipelineRefusal(device: Device, source: KernelSource): Promise<string | undefined> {
  device.gpuDevice.pushErrorScope("validation");
  let thrown: string | undefined;
  try {
    await device.recorder.warmUp([source]);
  } catch (error) {
    thrown = error instanceof Error ? error.message : String(error);
  }
  const reported = await device.gpuDevice.popErrorScope();
  return reported?.message ?? thrown; // what was said of a layout is why the pipeline was refused
}
