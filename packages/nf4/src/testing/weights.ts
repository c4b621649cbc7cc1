import { createHash } from "node:crypto";
import { decodeWeights, type WeightDtype } from "../weight-dtype.js";

/** SHA-256 of an array's bytes, in hex. */
export function sha256(data: ArrayBufferView): string {
  return createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
}

/** Bits of f32 values, so that −0, NaN and the last place count. */
export function bitsOf(values: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  return new Uint32Array(Float32Array.from(values).buffer);
}

/** A value with these f32 bits. */
export function fromBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}

/** The example of one block: odd multiples of 1/128 from −63/128 to 63/128. */
export const rampBlock: Float32Array<ArrayBuffer> = Float32Array.from({ length: 64 }, (_, i) => (i - 31.5) / 64);

/** Four blocks of it, times 0.5, 1, 0.25 and 2. */
export const rampBlocks: Float32Array<ArrayBuffer> = Float32Array.from(
  [0.5, 1, 0.25, 2].flatMap((factor) => Array.from(rampBlock, (w) => w * factor)),
);

/** Uniform random numbers in [−0.5, 0.5) of a linear congruential generator (15 bits each). */
export function randomNumbers(count: number, seed = 12_345): number[] {
  let state = BigInt(seed);
  return Array.from({ length: count }, () => {
    state = (1_103_515_245n * state + 12_345n) % 2n ** 31n;
    return (Math.floor(Number(state) / 65_536) % 32_768) / 32_768 - 0.5;
  });
}

/** Little-endian bytes of values that the dtype holds exactly. */
export function encodeWeights(values: ArrayLike<number>, dtype: WeightDtype): Uint8Array<ArrayBuffer> {
  const bits = bitsOf(values);
  if (dtype === "float32") return new Uint8Array(bits.buffer);
  if (dtype === "bfloat16") return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
  return new Uint8Array(Uint16Array.from(Array.from(values), halfBits).buffer);
}

/** f16 bits by search among all of them: slow, and independent of the code under test. */
function halfBits(value: number): number {
  table ??= new Map(
    Array.from(decodeWeights(new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, i) => i).buffer), "float16"), (w, i) => [
      `${Object.is(w, -0) ? "-0" : w}`,
      i,
    ]),
  );
  return table.get(`${Object.is(value, -0) ? "-0" : value}`)!;
}

let table: Map<string, number> | undefined;
