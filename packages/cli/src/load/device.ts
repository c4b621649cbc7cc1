import { existsSync, readdirSync } from "node:fs";
import { CapabilityError, requestDevice, type Device } from "@kto/tensor";
import { ConfigError } from "../errors.js";
import type { CommonOptions, Io } from "../io.js";
import type { Console } from "../render/console.js";

/** Device nodes that a GPU's driver makes on Linux. */
const gpuNodes = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg"];
/** Where Vulkan looks for drivers on Linux. */
const driverFolders = ["/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/local/etc/vulkan/icd.d"];

const doctorHint = "kto doctor says what is missing";

/** Says why this machine can have no hardware adapter, or undefined if it may. Dawn is not loaded for it: once it is, no software adapter can be had. */
export function whyNoHardware(env: Io["env"], platform: string = process.platform): string | undefined {
  if (platform !== "linux" || env["VK_ICD_FILENAMES"] || env["VK_DRIVER_FILES"] || env["VK_ADD_DRIVER_FILES"]) return undefined;
  if (!gpuNodes.some((path) => existsSync(path)) && listed("/dev/dri").length === 0) return "there is no GPU device in /dev";
  if (driverFolders.every((folder) => listed(folder).length === 0)) return "there is a GPU, but no Vulkan driver file in /etc/vulkan/icd.d or /usr/share/vulkan/icd.d";
  return undefined;
}

/** `--device`, or `KTO_DEVICE`. Throws ConfigError for another word. */
export function deviceChoice(flag: string | undefined, env: Io["env"]): CommonOptions["device"] {
  const value = flag ?? (env["KTO_DEVICE"] || "auto");
  if (value === "auto" || value === "gpu" || value === "software") return value;
  throw new ConfigError([`${flag === undefined ? "KTO_DEVICE" : "--device"}: not usable; expected one of auto, gpu, software, got ${JSON.stringify(value)}`]);
}

/**
 * Opens the device that was chosen. `auto` takes hardware where there is any, else says so and takes the software adapter.
 * Throws CapabilityError when there is none of that kind.
 */
export async function openDevice(choice: CommonOptions["device"], io: Io, console: Console): Promise<Device> {
  if (choice === "software") return openSoftware();
  const reason = choice === "auto" ? whyNoHardware(io.env) : undefined;
  if (reason === undefined) return openHardware(choice);
  if (!console.isQuiet) console.line(`device auto: ${reason}; taking the software adapter, which is slow (${doctorHint})`);
  return openSoftware();
}

async function openHardware(choice: "auto" | "gpu"): Promise<Device> {
  try {
    return await requestDevice({ hardwareOnly: choice === "gpu" });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CapabilityError(`${message}; or pass --device software (${doctorHint})`, { cause });
  }
}

async function openSoftware(): Promise<Device> {
  let installSoftwareGpu: () => Promise<unknown>;
  try {
    ({ installSoftwareGpu } = await import("@kto/software-gpu"));
  } catch (cause) {
    throw new CapabilityError(`device: the software adapter is not installed; expected the package @kto/software-gpu, got none; run npm install @kto/software-gpu @sparticuz/chromium, or use a GPU (${doctorHint})`, { cause });
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
