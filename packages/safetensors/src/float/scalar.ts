import { BFLOAT16, FLOAT16, decodeFloat, encodeFloat } from "./minifloat.js";

/** The value of f16 bits, exactly. */
export function float16ToNumber(bits: number): number {
  return decodeFloat(bits, FLOAT16);
}

/** The f16 bits nearest to a value, ties to even; ±65520 and beyond become infinity, NaN becomes 0x7e00. */
export function numberToFloat16(value: number): number {
  return encodeFloat(value, FLOAT16);
}

/** The value of bf16 bits, exactly. */
export function bfloat16ToNumber(bits: number): number {
  return decodeFloat(bits, BFLOAT16);
}

/** The bf16 bits nearest to a value, ties to even; beyond the range they become infinity, NaN becomes 0x7fc0. */
export function numberToBfloat16(value: number): number {
  return encodeFloat(value, BFLOAT16);
}
