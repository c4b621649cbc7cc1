import { Float, isFloat, parseJson } from "@kto/core";
import { ForeignValue } from "./foreign-value.js";

/**
 * How one raw value of a column becomes the value of a row. Values inside lists and structs reach templates as they are, so that a whole float stays
 * one there (`Float`); a column of plain values gives plain numbers.
 */
export type Cell<Raw> = (raw: Raw) => unknown;

/** Floats of 16, 32 or 64 bits. */
export function floatCell(nested: boolean): Cell<number> {
  return nested ? (raw) => (Number.isInteger(raw) ? new Float(raw) : raw) : (raw) => raw;
}

/** 64-bit integers: a number where that is exact, else a bigint. */
export const integerCell: Cell<bigint> = (raw) => {
  const number = Number(raw);
  return Number.isSafeInteger(number) ? number : raw;
};

/** Values of a type that JSON does not have: Python's text of them where a template may print them, else marked as what they are. */
export function foreignCell<Raw>(type: string, text: (raw: Raw) => string, nested: boolean): Cell<Raw> {
  return nested ? text : (raw) => new ForeignValue(type, text(raw));
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 text. Throws TypeError for bytes that are not. */
export const textCell: Cell<Uint8Array> = (raw) => utf8.decode(raw);

/** JSON in a cell, as datasets keeps values of mixed types. Throws Error for text that is none. */
export function jsonCell(nested: boolean): Cell<Uint8Array> {
  return (raw) => {
    const value = parseJson(utf8.decode(raw), { operation: "its JSON" });
    return isFloat(value) && !nested ? value.valueOf() : value;
  };
}

/** A float of 16 bits from them. */
export function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A signed whole number from bytes in two's complement, the least significant first. */
export function signedInteger(littleEndian: Iterable<number> & { readonly length: number }): bigint {
  let value = 0n;
  let shift = 0n;
  for (const byte of littleEndian) {
    value |= BigInt(byte) << shift;
    shift += 8n;
  }
  return BigInt.asIntN(Number(shift), value);
}
