import { DtypeError, nearestName } from "@kto/core";

/** Storage types of a tensor. */
export type Dtype = "f32" | "f16" | "u32" | "i32";

const dtypes: readonly Dtype[] = ["f32", "f16", "u32", "i32"];

/** What other libraries call them. */
const otherNames: Readonly<Record<string, Dtype>> = {
  float32: "f32",
  float: "f32",
  float16: "f16",
  half: "f16",
  uint32: "u32",
  uint: "u32",
  int32: "i32",
  int: "i32",
};

/** Throws DtypeError unless `dtype` is a storage type of ours; names the one that was probably meant. */
export function checkDtype(op: string, dtype: string): asserts dtype is Dtype {
  if (dtypes.includes(dtype as Dtype)) return;
  if (typeof dtype !== "string") throw new DtypeError(`${op}: dtype is missing; expected ${dtypes.join(", ")}, got ${String(dtype)}`);
  const meant = (Object.hasOwn(otherNames, dtype) ? otherNames[dtype] : undefined) ?? nearestName(dtype, dtypes);
  throw new DtypeError(`${op}: unknown dtype; expected ${dtypes.join(", ")}, got ${dtype}${meant ? `; did you mean ${meant}?` : ""}`);
}

/** Floating-point storage types. */
export type FloatDtype = "f32" | "f16";

/** Bytes of one element. */
export function byteSize(dtype: Dtype): number {
  return dtype === "f16" ? 2 : 4;
}

const widenView = new DataView(new ArrayBuffer(4));

/** Value of IEEE binary16 bits. */
export function f16BitsToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** IEEE binary16 bits of a number, rounded to nearest even; out of range gives infinity. */
export function numberToF16Bits(value: number): number {
  const bits = truncatedF32Bits(value);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 255;
  const fraction = bits & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (fraction ? 0x200 : 0);
  const halfExponent = exponent - 112;
  if (halfExponent >= 31) return sign | 0x7c00;
  if (halfExponent <= 0) {
    if (halfExponent < -10) return sign;
    const significand = fraction | 0x800000;
    const shift = 14 - halfExponent;
    return sign | roundShift(significand, shift);
  }
  // A carry out of the fraction moves into the exponent, which is what rounding up to the next binade (or to infinity) means.
  return sign | ((halfExponent << 10) + roundShift(fraction, 13));
}

/** f32 bits of a number, cut off towards zero; the last bit is set where something was cut off, so that rounding once more is exact. */
function truncatedF32Bits(value: number): number {
  const nearest = Math.fround(value);
  widenView.setFloat32(0, nearest);
  const bits = widenView.getUint32(0);
  if (nearest === value || Number.isNaN(value)) return bits;
  return (Math.abs(nearest) > Math.abs(value) ? bits - 1 : bits) | 1;
}

function roundShift(value: number, shift: number): number {
  const floor = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (floor & 1) === 1) ? floor + 1 : floor;
}
