import { existsSync, readdirSync } from "node:fs";
import { CapabilityError } from "@kto/core";

type Environment = Readonly<Record<string, string | undefined>>;

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
      {
        operation: "device",
        problem: `no hardware adapter: ${reason}`,
        expected: "a GPU with its driver",
        got: "none",
        advice: `${command === undefined ? "update the GPU's driver" : `install the driver (${command})`}, or pass {device} software`,
        fields: ["device"],
      },
      options,
    );
    this.reason = reason;
  }
}

/** Says why this machine can have no hardware adapter, or undefined if it may. Dawn is not loaded for it: once it is, no software adapter can be had. */
export function whyNoHardware(env: Environment, platform: string = process.platform): string | undefined {
  const reason = whyNoDevice(env, platform);
  if (reason !== undefined || platform !== "linux" || namesDriver(env)) return reason;
  return driverFolders.every((folder) => listed(folder).length === 0)
    ? `there is a GPU, but no Vulkan driver file in ${driverFolders.slice(0, 2).join(" or ")}`
    : undefined;
}

/** Says why there is no device at all, or undefined if there may be one. */
export function whyNoDevice(env: Environment, platform: string = process.platform): string | undefined {
  if (platform !== "linux" || namesDriver(env) || gpuNodes.some((path) => existsSync(path)) || listed("/dev/dri").length > 0)
    return undefined;
  return "there is no GPU device in /dev";
}

/** True if the environment names Vulkan drivers itself. */
function namesDriver(env: Environment): boolean {
  return Boolean(env["VK_ICD_FILENAMES"] || env["VK_DRIVER_FILES"] || env["VK_ADD_DRIVER_FILES"]);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
