import { existsSync, readdirSync } from "node:fs";
import { CapabilityError, isKtoError } from "@kto/core";
import { requestDevice, type Device } from "@kto/tensor";
import { ConfigError } from "../errors.js";
import type { CommonOptions, Io } from "../io.js";
import type { Console } from "../render/console.js";
import { gpuMemory } from "./gpu-info.js";

/** Device nodes that a GPU's driver makes on Linux. */
const gpuNodes = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg"];
/** Where Vulkan looks for drivers on Linux. */
const driverFolders = ["/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/local/etc/vulkan/icd.d"];

/** What makes a GPU usable on this platform, where a command does. */
export function mendingCommand(platform: string = process.platform): string | undefined {
  if (platform !== "linux") return undefined;
  return existsSync("/dev/nvidiactl") ? "apt-get install libvulkan1 nvidia-driver" : "apt-get install libvulkan1 mesa-vulkan-drivers";
}

/** There is no adapter of the kind that was asked for; `reason` is the plain fact, without advice. */
export class NoAdapterError extends CapabilityError {
  override name = "NoAdapterError";
  readonly reason: string;

  constructor(reason: string, options?: { cause?: unknown }) {
    const command = mendingCommand();
    super(
      `device: no hardware adapter: ${reason}; expected a GPU with its driver, got none; ${command === undefined ? "update the GPU's driver" : `install the driver (${command})`}, or pass --device software`,
      options,
    );
    this.reason = reason;
  }
}

/** Says why this machine can have no hardware adapter, or undefined if it may. Dawn is not loaded for it: once it is, no software adapter can be had. */
export function whyNoHardware(env: Io["env"], platform: string = process.platform): string | undefined {
  const reason = whyNoDevice(env, platform);
  if (reason !== undefined || platform !== "linux" || namesDriver(env)) return reason;
  return driverFolders.every((folder) => listed(folder).length === 0)
    ? `there is a GPU, but no Vulkan driver file in ${driverFolders.slice(0, 2).join(" or ")}`
    : undefined;
}

function whyNoDevice(env: Io["env"], platform: string): string | undefined {
  if (platform !== "linux" || namesDriver(env) || gpuNodes.some((path) => existsSync(path)) || listed("/dev/dri").length > 0)
    return undefined;
  return "there is no GPU device in /dev";
}

/** True if the environment names Vulkan drivers itself. */
function namesDriver(env: Io["env"]): boolean {
  return Boolean(env["VK_ICD_FILENAMES"] || env["VK_DRIVER_FILES"] || env["VK_ADD_DRIVER_FILES"]);
}

/** `--device`, or `KTO_DEVICE`. Throws ConfigError for another word. */
export function deviceChoice(flag: string | undefined, env: Io["env"]): CommonOptions["device"] {
  const value = flag ?? (env["KTO_DEVICE"] || "auto");
  if (value === "auto" || value === "gpu" || value === "software") return value;
  throw new ConfigError([
    `${flag === undefined ? "KTO_DEVICE" : "--device"}: not usable; expected one of auto, gpu, software, got ${JSON.stringify(value)}`,
  ]);
}

/**
 * Opens the device that was chosen. `auto` takes hardware where there is any, else says so and takes the software adapter.
 * Throws CapabilityError when there is none of that kind, with what mends it.
 */
export async function openDevice(choice: CommonOptions["device"], io: Io, console: Console): Promise<Device> {
  if (choice === "software") return openSoftware();
  if (choice === "gpu") return openHardware(whyNoDevice(io.env, process.platform), true);
  const reason = whyNoHardware(io.env);
  if (reason === undefined) return openHardware(undefined, false);
  console.line(`device: ${reason}; taking the software adapter, which is slow`);
  return openSoftware();
}

async function openHardware(reason: string | undefined, hardwareOnly: boolean): Promise<Device> {
  if (reason !== undefined) throw new NoAdapterError(reason);
  try {
    const device = await requestDevice({ hardwareOnly });
    device.memory.readFreeBytes = () => gpuMemory()?.freeBytes;
    return device;
  } catch (cause) {
    throw new NoAdapterError((isKtoError(cause) ? cause.parts?.problem : undefined) ?? (cause as Error).message, { cause });
  }
}

async function openSoftware(): Promise<Device> {
  let installSoftwareGpu: () => Promise<unknown>;
  try {
    ({ installSoftwareGpu } = await import("@kto/software-gpu"));
  } catch (cause) {
    throw new CapabilityError(
      "device: the software adapter is not installed; expected the package @kto/software-gpu, got none; run npm install @kto/software-gpu @sparticuz/chromium@147.0.0, or use a GPU",
      { cause },
    );
  }
  await installSoftwareGpu();
  return requestDevice();
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
