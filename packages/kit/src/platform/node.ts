import { CapabilityError } from "@kto/core";
import { requestDevice, type Device } from "@kto/tensor";
import { deviceChoice } from "../device/device-choice.js";
import { freeBytes, memoryBudget, noteGpuMemory, readGpuMemory } from "../device/gpu-memory.js";
import { NoAdapterError, whyNoDevice, whyNoHardware } from "../device/hardware.js";
import type { OpenDeviceOptions } from "../device/open-device.js";

export { expandHome as nameOfPath, loadPlace, openPlace } from "./node-places.js";

/** Where nobody listens: a run on the software adapter is a hundred times slower, which must not go unsaid. */
// oxlint-disable-next-line no-console
const warn = (note: string): void => console.warn(note);

/** Opens the device that was chosen. `auto` takes hardware where there is any, else says so and takes the software adapter. */
export async function openPlatformDevice(options: OpenDeviceOptions): Promise<Device> {
  const { env = process.env, onNote = warn } = options;
  const choice = options.device === undefined ? deviceChoice(env["KTO_DEVICE"], "KTO_DEVICE") : deviceChoice(options.device, "device");
  const reading = choice === "software" ? undefined : readGpuMemory(); // while the device is opened, whose own memory is within the reserve
  const device = await openChosen(choice, env, onNote, options.adapter);
  const { software } = device.capabilities;
  const memory = software ? undefined : await reading;
  if (memory) noteGpuMemory(device, memory);
  device.memory.readFreeBytes = () => freeBytes(device);
  const free = software ? freeBytes(device) : memory?.freeBytes;
  device.memory.budgetBytes = options.maxMemory ?? memoryBudget(device.memory.info().allocatedBytes, free);
  return device;
}

async function openChosen(
  choice: "auto" | "gpu" | "software",
  env: NonNullable<OpenDeviceOptions["env"]>,
  onNote: (note: string) => void,
  adapter: string | undefined,
): Promise<Device> {
  if (choice === "software") return openSoftware();
  if (choice === "gpu") return openHardware(whyNoDevice(env), { hardwareOnly: true, adapter });
  const reason = whyNoHardware(env);
  if (reason === undefined) return openHardware(undefined, { hardwareOnly: false, adapter });
  onNote(`device: ${reason}; taking the software adapter, which is slow`);
  return openSoftware();
}

async function openHardware(reason: string | undefined, options: { hardwareOnly: boolean; adapter: string | undefined }): Promise<Device> {
  if (reason !== undefined) throw new NoAdapterError(reason);
  try {
    return await requestDevice(options);
  } catch (cause) {
    if (options.adapter !== undefined || !(cause instanceof CapabilityError)) throw cause;
    throw new NoAdapterError(cause.parts?.problem ?? cause.message, { cause });
  }
}

async function openSoftware(): Promise<Device> {
  let installSoftwareGpu: () => Promise<unknown>;
  try {
    ({ installSoftwareGpu } = await import("@kto/software-gpu"));
  } catch (cause) {
    throw new CapabilityError(
      "device: the software adapter is not installed; expected the package @kto/software-gpu, got none; run npm install @kto/software-gpu @sparticuz/chromium, or use a GPU",
      { cause },
    );
  }
  await installSoftwareGpu();
  return requestDevice();
}
export { platformFolder, storeAt } from "../output/node-folder.js";
