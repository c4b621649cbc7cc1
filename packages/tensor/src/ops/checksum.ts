import type { Device } from "../device/device.js";
import { checksumKernel, checksumLanes } from "../kernels/checksum.wgsl.js";
import type { Tensor } from "../tensor.js";

/**
 * Sums of the contents of some tensors, in their order, whatever they hold: other contents have other sums, as far as 64 bits can tell. Outside the tape.
 *
 * @returns  [16384, 2] u32; see `checksumKernel`
 */
export function checksum(device: Device, tensors: readonly Tensor[]): Tensor {
  const state = device.zeros([checksumLanes, 2], "u32", "checksum");
  for (const x of tensors) {
    const numWords = Math.ceil(x.byteLength / 4);
    checksumKernel.run(device, { x, state }, { numWords, lastMask: x.byteLength % 4 === 0 ? 0xffffffff : 0xffff }, {});
  }
  return state;
}
