import type { GpuHandle, GpuOptions } from "./types.js";

/** The objects that Dawn's `create()` returned and that live devices need: collecting one aborts the process. Shared by all copies of this module. */
function pinned(): Set<unknown> {
  return ((globalThis as Record<symbol, unknown>)[Symbol.for("@kto/tensor/gpu-pins")] ??= new Set()) as Set<unknown>;
}

/** Opens Dawn in Node. The handle keeps the instance alive; `release()` lets the process exit. */
export async function openGpu({ nullBackend = false, dawnFeatures = [] }: GpuOptions = {}): Promise<GpuHandle> {
  const { create, globals } = (await import("webgpu")) as { create(options: string[]): GPU; globals: Record<string, unknown> };
  for (const [name, value] of Object.entries(globals)) if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  // Kernels check every index themselves; the driver's checks on top cost 7 to 19 % of a matrix product.
  const toggles = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", "disable_robustness", ...dawnFeatures];
  const gpu = create([`enable-dawn-features=${toggles.join(",")}`, ...(nullBackend ? ["backend=null"] : [])]);
  pinned().add(gpu);
  return { gpu, release: () => void pinned().delete(gpu) };
}
