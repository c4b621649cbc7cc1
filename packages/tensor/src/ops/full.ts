import type { Device } from "../device/device.js";
import type { Dtype } from "../dtype.js";
import { fillKernel } from "../kernels/fill.wgsl.js";
import type { Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** A tensor filled with one value, in the current scope. */
export function full(device: Device, shape: Shape, value: number, dtype: Dtype, label = "full"): Tensor {
  const tensor = device.empty(shape, dtype, label);
  fillKernel.run(device, { y: tensor }, { size: tensor.size, value }, { dtype });
  return tensor;
}
