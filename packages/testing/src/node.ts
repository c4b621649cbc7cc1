import { installSoftwareGpu } from "@kto/software-gpu";
import { requestDevice, type Device, type RequestDeviceOptions } from "@kto/tensor";

/**
 * A device for tests: SwiftShader on the CPU, the same on every machine, or with KTO_DEVICE=gpu the machine's own GPU. Call it before anything imports
 * `webgpu`; dispose the device, or the process will not exit.
 *
 * @throws CapabilityError as `installSoftwareGpu` and `requestDevice` do: anywhere but on Linux x64 without KTO_DEVICE=gpu, without `@sparticuz/chromium` or `webgpu`
 */
export async function requestTestDevice(options?: RequestDeviceOptions): Promise<Device> {
  if (process.env["KTO_DEVICE"] !== "gpu") await installSoftwareGpu();
  return requestDevice(options);
}
