import { DtypeError } from "@kto/core";
import { numberToF16Bits, type Dtype } from "../dtype.js";

/** Numbers as bytes in a dtype; f16 rounds to nearest even. Throws DtypeError for a finite number that f16 cannot hold; `label` names what they are. */
export function packNumbers(data: ArrayLike<number>, dtype: Dtype, label: string): Uint8Array {
  if (dtype === "f32") return bytesOf(data instanceof Float32Array ? data : Float32Array.from(data));
  if (dtype === "u32") return bytesOf(data instanceof Uint32Array ? data : Uint32Array.from(data));
  if (dtype === "i32") return bytesOf(data instanceof Int32Array ? data : Int32Array.from(data));
  const bits = new Uint16Array(data.length);
  for (let index = 0; index < data.length; index++) {
    bits[index] = numberToF16Bits(data[index]!);
    if ((bits[index]! & 0x7fff) === 0x7c00 && Number.isFinite(data[index]!)) {
      throw new DtypeError(
        `tensor: ${label}: element ${index} does not fit f16; expected at most 65504 in magnitude, got ${data[index]}; use dtype f32`,
      );
    }
  }
  return bytesOf(bits);
}

function bytesOf(array: Float32Array | Uint32Array | Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
