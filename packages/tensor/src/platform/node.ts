import type { GpuHandle, GpuOptions } from "./types.js";

/** The objects that Dawn's `create()` returned and that live devices need: collecting one aborts the process. */
const pins: Set<unknown> = ((globalThis as Record<symbol, unknown>)[Symbol.for("@kto/tensor/gpu-pins")] ??= new Set()) as Set<unknown>;

/** Opens Dawn in Node. The handle keeps the instance alive; `release()` lets the process exit. */
export async function openGpu({ nullBackend = false, dawnFeatures = [] }: GpuOptions = {}): Promise<GpuHandle> {
  const { create, globals } = (await import("webgpu")) as { create(options: string[]): GPU; globals: Record<string, unknown> };
  for (const [name, value] of Object.entries(globals)) if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  const toggles = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", ...dawnFeatures];
  const gpu = create([`enable-dawn-features=${toggles.join(",")}`, ...(nullBackend ? ["backend=null"] : [])]);
  pins.add(gpu);
  return { gpu, release: () => void pins.delete(gpu) };
}
