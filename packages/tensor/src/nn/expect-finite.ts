import { DtypeError } from "@kto/core";
import { byteSize } from "../dtype.js";
import type { Tensor } from "../tensor.js";

/** Bytes that are read from the device at a time. */
const pieceBytes = 16 * 2 ** 20;

/** Throws DtypeError naming the first element that is NaN or infinite. Read on the host: shaders may assume that there are none. */
export async function expectFinite(tensor: Tensor): Promise<void> {
  const { device, dtype, byteOffset, label, shape } = tensor;
  const size = byteSize(dtype);
  for (let first = 0; first < tensor.size; first += pieceBytes / size) {
    const count = Math.min(pieceBytes / size, tensor.size - first);
    using piece = device.unscoped(() => device.viewOf(tensor, [count], byteOffset + first * size, label));
    const { buffer } = await device.readBytes(piece);
    const index =
      dtype === "f16" ? firstWith(new Uint16Array(buffer, 0, count), 0x7c00) : firstWith(new Uint32Array(buffer, 0, count), 0x7f800000);
    if (index >= 0)
      throw new DtypeError(
        `expectFinite: ${label}: element ${first + index} of [${shape.join(", ")}] is NaN or infinite; expected finite numbers in ${dtype}`,
        { dtype },
      );
  }
}

/** Index of the first float whose exponent bits are all set; −1 if there is none. */
function firstWith(bits: Uint16Array | Uint32Array, exponent: number): number {
  return bits.findIndex((value) => (value & exponent) === exponent);
}
