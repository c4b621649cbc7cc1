import { openPlatformDevice } from "#platform";
import type { Device } from "@kto/tensor";
import type { DeviceChoice } from "./device-choice.js";

/** How a device is opened. */
export interface OpenDeviceOptions {
  /** Default: `KTO_DEVICE` in Node, else `auto`. */
  device?: DeviceChoice | undefined;
  /** Part of the adapter's name, where a machine has several. Node only. */
  adapter?: string | undefined;
  /** Bytes that all buffers of the device may take together; default: what is free now, where the system tells. Runs are laid out to fit (`device.memory`). */
  maxMemory?: number | undefined;
  /** Variables to read in place of the process's own. Node only. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Is told when the software adapter stands in for a GPU. Default: `console.warn`. */
  onNote?(note: string): void;
}

/**
 * The machine's GPU. In Node, where there is none, the software adapter of `@kto/software-gpu` if that is installed, which is slow: `onNote` is told.
 * Dispose the device at the end, or the process does not exit.
 *
 * @throws CapabilityError when there is no device of the kind that was asked for, with what mends it; ArgumentError for a word that is none
 */
export function openDevice(options: OpenDeviceOptions = {}): Promise<Device> {
  return openPlatformDevice(options);
}
