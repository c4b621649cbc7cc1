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
export async function openGpu({ nullBackend = false, adapter }: GpuOptions = {}): Promise<GpuHandle> {
  const { create, globals } = await importDawn();
  for (const [name, value] of Object.entries(globals)) if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  // Kernels check every index themselves; the driver's checks on top cost 7 to 19 % of a matrix product.
  const toggles = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", "disable_robustness"];
  const options = [
    `enable-dawn-features=${toggles.join(",")}`,
    "disable-dawn-features=timestamp_quantization", // profiles need better than 100 µs
    ...(nullBackend ? ["backend=null"] : []),
  ];
  const gpu = adapter === undefined ? create(options) : await createNamed(create, options, adapter);
  pinned().add(gpu);
  return { gpu, release: () => void pinned().delete(gpu) };
}

/** Dawn takes a part of an adapter's name, but in the letter case that it has; where there is no such adapter its error lists the names. */
async function createNamed(create: Dawn["create"], options: string[], name: string): Promise<GPU> {
  const first = await tryNamed(create, options, name);
  if (first.gpu) return first.gpu;
  const wanted = name.toLowerCase();
  const match = first.names.find((each) => each.toLowerCase().includes(wanted));
  const second = match === undefined ? undefined : await tryNamed(create, options, match);
  if (second?.gpu) return second.gpu;
  const known = first.names.length > 0 ? first.names.map((each) => `"${each}"`).join(" or ") : "the name of an adapter";
  throw new CapabilityError(
    {
      operation: "requestDevice",
      problem: "no adapter of that name",
      expected: `a part of ${known}`,
      got: `"${name}"`,
      advice: "leave adapter out for the best one",
    },
    { missing: `adapter "${name}"`, cause: first.cause },
  );
}

async function tryNamed(create: Dawn["create"], options: string[], name: string): Promise<{ gpu?: GPU; names: string[]; cause?: unknown }> {
  try {
    const gpu = create([...options, `adapter=${name}`]);
    await gpu.requestAdapter();
    return { gpu, names: [] };
  } catch (cause) {
    const names = [...(cause as Error).message.matchAll(/^ \* backend: '.*', name: '(.*)'$/gm)].map((found) => found[1]!);
    return { names: [...new Set(names)], cause };
  }
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
