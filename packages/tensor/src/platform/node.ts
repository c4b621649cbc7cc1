import { CapabilityError } from "@kto/core";
import type { GpuHandle, GpuOptions, NoAdapter } from "./types.js";

/** What this package uses of npm's `webgpu`. */
interface Dawn {
  create(options: string[]): GPU;
  globals: Record<string, unknown>;
}

/** The objects that Dawn's `create()` returned and that live devices need: collecting one aborts the process. Shared by all copies of this module. */
function pinned(): Set<unknown> {
  return ((globalThis as Record<symbol, unknown>)[Symbol.for("@kto/tensor/gpu-pins")] ??= new Set()) as Set<unknown>;
}

export const noAdapter: NoAdapter = {
  problem: "no GPU adapter found",
  expected: "a Vulkan, Metal or D3D12 driver",
  got: "none",
  advice: "install the driver and its Vulkan loader (on Debian: libvulkan1), or use the software adapter of @kto/software-gpu",
};

/** Opens Dawn in Node. The handle keeps the instance alive; `release()` lets the process exit. */
export async function openGpu({ nullBackend = false, dawnFeatures = [] }: GpuOptions = {}): Promise<GpuHandle> {
  const { create, globals } = await importDawn();
  for (const [name, value] of Object.entries(globals)) if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  // Kernels check every index themselves; the driver's checks on top cost 7 to 19 % of a matrix product.
  const toggles = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", "disable_robustness", ...dawnFeatures];
  const gpu = create([`enable-dawn-features=${toggles.join(",")}`, ...(nullBackend ? ["backend=null"] : [])]);
  pinned().add(gpu);
  return { gpu, release: () => void pinned().delete(gpu) };
}

/** Dawn is an optional peer: it brings 132 MB for five platforms, which only those who open a GPU in Node need. */
async function importDawn(): Promise<Dawn> {
  try {
    return (await import("webgpu")) as Dawn;
  } catch (cause) {
    const { code, message } = cause as Error & { code?: string };
    const isMissing = code === "ERR_MODULE_NOT_FOUND" && message.includes("'webgpu'");
    throw new CapabilityError(
      isMissing
        ? "requestDevice: in Node WebGPU comes from the npm package webgpu (Dawn); expected it beside @kto/tensor, got none; run: npm i webgpu"
        : `requestDevice: the npm package webgpu (Dawn) cannot be loaded: ${message}; expected a build for ${process.platform}-${process.arch}; run: npm i webgpu`,
      { cause },
    );
  }
}
