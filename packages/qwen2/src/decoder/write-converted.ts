import { DtypeError } from "@kto/core";
import { toFloat16, toFloat32, type Dtype } from "@kto/safetensors";
import { writeBfloat16, type Bfloat16Target, type FloatDtype } from "@kto/tensor";

/**
 * Writes numbers as a file holds them to part of a tensor, rounded to nearest even: bf16, which most files hold, is converted on the device, other
 * types here.
 *
 * @returns how many there were; throws DtypeError if the tensor cannot hold one (for bf16 the device keeps a note of it instead)
 */
export function writeConverted(bytes: Uint8Array, dtype: Dtype, to: Bfloat16Target): number {
  const { target, first } = to;
  if (dtype === "BF16") {
    writeBfloat16(bytes, to);
    return bytes.byteLength / 2;
  }
  const half = target.dtype === "f16";
  if ((dtype === "F16" && half) || (dtype === "F32" && !half)) {
    const size = half ? 2 : 4;
    target.device.writeBytes(target, bytes, first * size);
    return bytes.byteLength / size;
  }
  const { values, overflow } = half ? toFloat16(bytes, dtype) : toFloat32(bytes, dtype);
  if (overflow) throw overflowError(target.label, first + overflow.index, target.dtype as FloatDtype, overflow.value);
  target.device.writeBytes(target, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), first * (half ? 2 : 4));
  return values.length;
}

/** A weight that its storage cannot hold. */
export function overflowError(name: string, element: number, dtype: FloatDtype, value: number): DtypeError {
  return new DtypeError(
    `load: ${name}: element ${element} does not fit ${dtype}; expected at most ${dtype === "f16" ? 65504 : "3.4e38"} in magnitude, got ${value}; load with dtype "f32"`,
    { dtype },
  );
}
