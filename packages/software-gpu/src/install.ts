import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { CapabilityError } from "@kto/core";
import { calmTicks } from "./calm-ticks.js";
import { cacheRoots, FILES, findArchive, unpackOnce } from "./unpack.js";

/** Absolute paths of what was made the Vulkan of this process. */
export interface SoftwareGpu {
  loaderPath: string;
  icdPath: string;
}

const INSTALLED = Symbol.for("@kto/software-gpu installed");
const LOADER = Symbol.for("@kto/software-gpu loader");

/** Of the process, not of this module: two copies of the package install once, and koffi unloads a library whose object is collected. */
const shared = globalThis as { [INSTALLED]?: Promise<SoftwareGpu>; [LOADER]?: unknown };

/**
 * Gives this process a GPU made of software: SwiftShader as the only Vulkan device that Dawn (npm `webgpu`) finds. Call it before anything
 * imports `webgpu`; a second call returns what the first did.
 *
 * It unpacks SwiftShader and the Vulkan loader from `@sparticuz/chromium` into a cache folder (7 MB, once a machine), points
 * `VK_DRIVER_FILES` and `VK_ICD_FILENAMES` at them, and loads the loader, so that Dawn's own look-up of `libvulkan.so.1` finds it. While Dawn waits
 * for the device, the process sleeps instead of asking at each `setImmediate`, which would take one of the cores that SwiftShader computes on.
 *
 * @throws CapabilityError anywhere but on Linux x64, in a worker thread, without `@sparticuz/chromium`, and after `webgpu` or another Vulkan
 *   loader was loaded; `missing` names what it lacks
 */
export function installSoftwareGpu(): Promise<SoftwareGpu> {
  return (shared[INSTALLED] ??= install().catch((error: unknown) => {
    delete shared[INSTALLED]; // what was missing may be there at the next call
    throw error;
  }));
}

async function install(): Promise<SoftwareGpu> {
  expectPlatform(process.platform, process.arch);
  expectMainThread(isMainThread);
  expectFreshProcess(await readFile("/proc/self/maps", "utf8"));

  const folder = await unpackOnce(findArchive(import.meta.url), cacheRoots());
  const loaderPath = join(folder, FILES.loader);
  const icdPath = join(folder, FILES.icd);
  process.env["VK_DRIVER_FILES"] = icdPath;
  process.env["VK_ICD_FILENAMES"] = icdPath; // the older name of the same setting
  await loadForAll(loaderPath);
  calmTicks();
  return { loaderPath, icdPath };
}

/** The npm package has binaries of SwiftShader for one platform. */
export function expectPlatform(platform: string, arch: string): void {
  if (platform === "linux" && arch === "x64") return;
  throw new CapabilityError(
    `installSoftwareGpu: SwiftShader from npm is built for one platform; expected linux-x64, got ${platform}-${arch}; use this machine's own GPU (in this repository: KTO_DEVICE=gpu)`,
    { missing: "linux-x64" },
  );
}

/** `process.env` of a worker thread is a copy, which the Vulkan loader does not read. */
export function expectMainThread(isMain: boolean): void {
  if (isMain) return;
  throw new CapabilityError(
    "installSoftwareGpu: native code does not see the environment of a worker thread; call it in the main thread, before the worker starts",
    { missing: "main thread" },
  );
}

/**
 * Both Dawn and a Vulkan loader stay for the life of a process, so the first one loaded decides.
 *
 * @param maps  text of /proc/self/maps
 */
export function expectFreshProcess(maps: string): void {
  const dawn = /\S*\/dawn\.node$/m.exec(maps)?.[0];
  if (dawn) {
    throw new CapabilityError(
      `installSoftwareGpu: webgpu was loaded before (${dawn}); call installSoftwareGpu first and import webgpu after it, with import()`,
      { missing: "a process without webgpu" },
    );
  }
  const loader = /\S*\/libvulkan\.so\S*$/m.exec(maps)?.[0];
  if (loader) {
    throw new CapabilityError(
      `installSoftwareGpu: another Vulkan loader was loaded before (${loader}); call installSoftwareGpu at the start of the process`,
      { missing: "a process without Vulkan" },
    );
  }
}

/** dlopen with RTLD_GLOBAL: a later dlopen("libvulkan.so.1"), Dawn's, matches the name of the library that is loaded already. */
async function loadForAll(path: string): Promise<void> {
  try {
    const { default: koffi } = await import("koffi");
    shared[LOADER] = koffi.load(path, { global: true });
  } catch (cause) {
    throw new CapabilityError(
      `installSoftwareGpu: ${path} cannot be loaded (${(cause as Error).message}); set XDG_CACHE_HOME to a folder on a file system that allows programs, or reinstall koffi`,
      { missing: "libvulkan.so.1", cause },
    );
  }
}
