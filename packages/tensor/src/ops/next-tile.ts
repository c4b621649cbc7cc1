import type { Device } from "../device/device.js";
import { BufferPool } from "../memory/pool.js";
import { Storage } from "../memory/storage.js";
import { Tensor } from "../tensor.js";

const known = new WeakMap<Device, Tensor>();

/**
 * What a device's pipelined products count their tiles with, one after another: [1] u32, 0 between them. It lives as long as the device, in a buffer of its
 * own, so that it is 0 at first and the same one wherever the first product is recorded, be it in a rehearsal or a capture. No plan counts these four bytes.
 */
export function nextTileOf(device: Device): Tensor {
  const found = known.get(device);
  if (found) return found;
  const pool = new BufferPool({ createBuffer: (descriptor) => device.gpuDevice.createBuffer(descriptor) }, 256);
  const made = new Tensor(device, new Storage(pool, 4, "next tile"), [1], "u32", "next tile");
  known.set(device, made);
  return made;
}
