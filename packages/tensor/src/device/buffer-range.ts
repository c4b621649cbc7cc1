import type { Tensor } from "../tensor.js";

/** A bound range of a buffer. */
export interface BufferRange {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

/** The bytes a tensor occupies, rounded up to 4, as copies need them. */
export function rangeOf(tensor: Tensor): BufferRange {
  tensor.device.noteUse(tensor.storage);
  return { buffer: tensor.storage.buffer, offset: tensor.byteOffset, size: Math.max(4, Math.ceil(tensor.byteLength / 4) * 4) };
}

/**
 * What kernels bind of a tensor: from its start to the end of its buffer, so that bind groups do not depend on lengths. Kernels know the sizes from their
 * parameters. Of a slab it is the tensor alone, or two that a kernel writes would overlap.
 */
export function bindingOf(tensor: Tensor): BufferRange {
  const { device, storage, byteOffset } = tensor;
  device.noteUse(storage);
  const toEnd = storage.byteLength - byteOffset;
  if (storage.isSlab || toEnd > device.capabilities.maxBindingBytes) return rangeOf(tensor);
  return { buffer: storage.buffer, offset: byteOffset, size: toEnd };
}
