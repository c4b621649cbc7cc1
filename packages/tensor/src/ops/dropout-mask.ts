import type { Device } from "../device/device.js";
import { ShapeError } from "../errors.js";
import { dropoutMaskKernel } from "../kernels/dropout-mask.wgsl.js";
import type { Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Options of `dropoutMask`. */
export interface DropoutMaskOptions {
  /** Share of zeros, 0 ≤ p < 1. */
  probability: number;
  /** Same seed, stream and shape give the same mask. */
  seed: number;
  /** Tells apart masks of one step. */
  stream: number;
  /** The element of a larger mask with which this one begins; default 0. */
  first?: number;
  /** Rows to make room for, that of the tensor it is for: see `Device.rowsLike`. */
  rowCapacity?: number | undefined;
}

/** Factors of inverted dropout: 0 with the given probability, else 1 / (1 − probability); f32. Throws ShapeError for a probability outside [0, 1). */
export function dropoutMask(
  device: Device,
  shape: Shape,
  { probability, seed, stream, first = 0, rowCapacity }: DropoutMaskOptions,
): Tensor {
  if (!(probability >= 0 && probability < 1))
    throw new ShapeError(`dropoutMask: expected a probability from 0 to below 1, got ${probability}`);
  const y = device.empty(shape, "f32", "dropoutMask", rowCapacity);
  dropoutMaskKernel.run(
    device,
    { y },
    {
      size: y.size,
      first,
      seed: seed >>> 0,
      stream: stream >>> 0,
      threshold: Math.floor(probability * 2 ** 32),
      kept: 1 / (1 - probability),
    },
    {},
  );
  return y;
}
