import {
  decodeWeights,
  dequantizeScales,
  dequantizeWeights,
  quantizeScales,
  quantizeWeights,
  quantizeNf4,
  weightByteSize,
  type Nf4Weight,
  type QuantizedScales,
  type QuantizedWeights,
  type WeightDtype,
} from "@kto/nf4";
import { f16BitsToNumber, numberToF16Bits, type Device } from "@kto/tensor";

export type Shape = readonly [outFeatures: number, inFeatures: number];

/** Numbers from 0 to 1, always the same for a seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Weights of a layer, about normal with deviation 0.02 · size, as a checkpoint holds them. */
export function weightBytes(count: number, dtype: WeightDtype, size: (index: number) => number = () => 1): Uint8Array<ArrayBuffer> {
  const next = randomNumbers(count);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = 0.02 * size(i) * 2 * (next() + next() + next() - 1.5);
  if (dtype === "float32") return new Uint8Array(values.buffer);
  const words = new Uint32Array(values.buffer);
  const halves = new Uint16Array(count);
  for (let i = 0; i < count; i++) halves[i] = dtype === "bfloat16" ? words[i]! >>> 16 : numberToF16Bits(values[i]!);
  return new Uint8Array(halves.buffer);
}

/** The same by the host: what the device must give, bit for bit. */
export interface HostWeight extends QuantizedWeights {
  nested: QuantizedScales | undefined;
}

export function quantizeOnHost(bytes: Uint8Array, dtype: WeightDtype, doubleQuant: boolean): HostWeight {
  const { packed, absmax } = quantizeWeights(decodeWeights(bytes, dtype));
  return { packed, absmax, nested: doubleQuant ? quantizeScales(absmax) : undefined };
}

export function dequantizeOnHost({ packed, absmax, nested }: HostWeight, size: number, dtype: WeightDtype): Float32Array<ArrayBuffer> {
  return dequantizeWeights({ packed, absmax: nested ? dequantizeScales(nested) : absmax }, { size, dtype });
}

/** Pieces of the size that a reader of files gives. */
export function* piecesOf(bytes: Uint8Array, byteLength: number = 8 * 2 ** 20): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += byteLength) yield bytes.subarray(at, at + byteLength);
}

export function quantizeOnDevice(
  device: Device,
  bytes: Uint8Array,
  shape: Shape,
  dtype: WeightDtype = "bfloat16",
  doubleQuant: boolean = true,
): Promise<Nf4Weight> {
  if (bytes.byteLength !== shape[0] * shape[1] * weightByteSize(dtype)) throw new RangeError("bench: bytes and shape differ");
  return quantizeNf4(device, { shape, dtype, doubleQuant, chunks: piecesOf(bytes), label: "w" });
}

/** Values as the operand of an f16 product. */
export function roundToHalf(values: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(values, (value) => f16BitsToNumber(numberToF16Bits(value)));
}
