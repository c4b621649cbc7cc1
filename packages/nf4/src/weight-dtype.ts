import { f16BitsToNumber, numberToF16Bits } from "@kto/tensor";

/** Dtype of the weight that was quantised, as torch and the quant state spell it. */
export type WeightDtype = "float32" | "float16" | "bfloat16";

/** Every `WeightDtype`. */
export const weightDtypes: readonly WeightDtype[] = ["float32", "float16", "bfloat16"];

/** Bytes of one element. */
export function weightByteSize(dtype: WeightDtype): 2 | 4 {
  return dtype === "float32" ? 4 : 2;
}

/** Little-endian elements as f32, which holds all three dtypes exactly. The bytes may start anywhere; throws RangeError if an element is cut. */
export function decodeWeights(bytes: Uint8Array, dtype: WeightDtype): Float32Array<ArrayBuffer> {
  const size = weightByteSize(dtype);
  if (bytes.byteLength % size !== 0)
    throw new RangeError(`decodeWeights: expected a multiple of ${size} bytes of ${dtype}, got ${bytes.byteLength}`);
  const dense = bytes.slice().buffer;
  if (dtype === "float32") return new Float32Array(dense);
  const halves = new Uint16Array(dense);
  if (dtype === "float16") return Float32Array.from(halves, f16BitsToNumber);
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

const word = new DataView(new ArrayBuffer(4));

/** An f32 rounded to the dtype, to nearest even, as an f32. */
export function roundToWeight(value: number, dtype: WeightDtype): number {
  if (dtype === "float32" || Number.isNaN(value)) return value;
  if (dtype === "float16") return f16BitsToNumber(numberToF16Bits(value));
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  word.setUint32(0, (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
  return word.getFloat32(0);
}
