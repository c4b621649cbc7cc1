import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installSoftwareGpu } from "@kto/software-gpu";
import { requestDevice, type Device } from "@kto/tensor";

/** Where to compute: `auto` takes the machine's GPU and, where there is none, the software adapter. */
export type DeviceChoice = "auto" | "gpu" | "software";

/** `--device WORD` of the arguments, or `KTO_DEVICE`, or `auto`. Throws Error for another word. */
export function deviceChoice(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): DeviceChoice {
  const at = argv.indexOf("--device");
  const word = at === -1 ? env["KTO_DEVICE"] || "auto" : argv[at + 1];
  if (word === "auto" || word === "gpu" || word === "software") return word;
  throw new Error(`--device: not usable; expected one of auto, gpu, software, got ${word ?? "nothing"}`);
}

/**
 * Decides on `auto`. The software adapter must be installed before the GPU library is loaded into a process, so another process looks for hardware.
 */
export function settleDevice(choice: DeviceChoice): "gpu" | "software" {
  if (choice !== "auto") return choice;
  const probe = fileURLToPath(new URL("./probe-gpu.ts", import.meta.url));
  const { status } = spawnSync(process.execPath, [...process.execArgv, probe], { stdio: "ignore", timeout: 60_000 });
  return status === 0 ? "gpu" : "software";
}

/** Opens a device; throws CapabilityError where there is none of that kind. */
export async function openDevice(settled: "gpu" | "software"): Promise<Device> {
  if (settled === "software") await installSoftwareGpu();
  return requestDevice({ hardwareOnly: settled === "gpu" });
}
