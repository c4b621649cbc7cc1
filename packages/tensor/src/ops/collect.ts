import { rangeOf } from "../device/buffer-range.js";
import { ShapeError } from "../errors.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Elements of u32 tensors as a new one, on the device: [n] u32, element i being `places[i].tensor[places[i].index]`. Throws ShapeError outside a tensor. `rowCapacity` as for `Device.empty`. */
export function collect(places: readonly { tensor: Tensor; index: number }[], rowCapacity?: number): Tensor {
  const [first] = places;
  if (!first) throw new ShapeError("collect: needs at least one element");
  const { device } = first.tensor;
  const collected = device.empty([places.length], "u32", "collect", rowCapacity);
  const { buffer, offset } = rangeOf(collected);
  places.forEach(({ tensor, index }, place) => {
    expectDtype("collect", "tensor", tensor, "u32");
    if (!(index >= 0 && index < tensor.size))
      throw new ShapeError(`collect: there is no element ${index}; expected 0 to ${tensor.size - 1}`);
    const from = rangeOf(tensor);
    device.recorder.copy(
      { buffer: from.buffer, offset: from.offset + 4 * index, size: 4 },
      { buffer, offset: offset + 4 * place, size: 4 },
    );
  });
  return collected;
}
