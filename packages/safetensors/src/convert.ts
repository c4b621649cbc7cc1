import { type Dtype, bitsOf } from "./dtype.js";
import { DtypeError } from "./errors.js";
import { float32BitsToBfloat16, float32BitsToFloat16 } from "./float/fast.js";
import { BFLOAT16, FLOAT16, FLOAT8_E4M3, FLOAT8_E5M2, type FloatLayout, decodeFloat, encodeFloat } from "./float/minifloat.js";
import { asTypedArray } from "./typed-array.js";

/** A finite number that became infinite: its place in the input, and what it was. */
export interface Overflow {
  readonly index: number;
  readonly value: number;
}

/** Converted elements, and the first that did not fit, so that the caller can name the tensor. Infinities and NaN of the input are no overflow. */
export interface Converted<T> {
  readonly values: T;
  readonly overflow: Overflow | undefined;
}

type SmallFloat = "F16" | "BF16" | "F8_E4M3" | "F8_E5M2";
const LAYOUTS: Record<SmallFloat, FloatLayout> = { F16: FLOAT16, BF16: BFLOAT16, F8_E4M3: FLOAT8_E4M3, F8_E5M2: FLOAT8_E5M2 };
const tables = new Map<string, Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>>();

/**
 * Elements of F64, F32, F16, BF16, F8_E4M3 or F8_E5M2 as f32; exact except from F64, which is rounded to nearest, ties to even.
 *
 * @throws DtypeError for other dtypes
 */
export function toFloat32(data: ArrayBufferView, dtype: Dtype): Converted<Float32Array<ArrayBuffer>> {
  if (dtype === "F64") {
    const source = asTypedArray(data, "F64");
    const values = new Float32Array(source);
    return { values, overflow: firstOverflow(source, (index) => Number.isFinite(values[index])) };
  }
  if (dtype === "F32") return { values: new Float32Array(asTypedArray(data, "F32")), overflow: undefined };
  const codes = codesOf("toFloat32", data, dtype);
  const table = decodeTable(codes.dtype);
  const values = new Float32Array(codes.codes.length);
  for (let i = 0; i < values.length; i++) values[i] = table[codes.codes[i]!]!;
  return { values, overflow: undefined };
}

/**
 * Elements of a float dtype as f16 bits, rounded once to nearest, ties to even. NaN becomes 0x7e00.
 *
 * @throws DtypeError for other dtypes
 */
export function toFloat16(data: ArrayBufferView, dtype: Dtype): Converted<Uint16Array<ArrayBuffer>> {
  return toHalf("toFloat16", data, dtype, "F16", float32BitsToFloat16);
}

/**
 * Elements of a float dtype as bf16 bits, rounded once to nearest, ties to even. NaN becomes 0x7fc0.
 *
 * @throws DtypeError for other dtypes
 */
export function toBfloat16(data: ArrayBufferView, dtype: Dtype): Converted<Uint16Array<ArrayBuffer>> {
  return toHalf("toBfloat16", data, dtype, "BF16", float32BitsToBfloat16);
}

function toHalf(operation: string, data: ArrayBufferView, dtype: Dtype, target: "F16" | "BF16", fromFloat32Bits: (bits: number) => number): Converted<Uint16Array<ArrayBuffer>> {
  const layout = LAYOUTS[target];
  const magnitudeMask = 0x7fff;
  const infinity = target === "F16" ? 0x7c00 : 0x7f80;

  if (dtype === "F64" || dtype === "F32") {
    const source = asTypedArray(data, dtype);
    const values = new Uint16Array(source.length);
    if (dtype === "F64") for (let i = 0; i < values.length; i++) values[i] = encodeFloat(source[i]!, layout);
    else {
      const bits = asTypedArray(data, "U32");
      for (let i = 0; i < values.length; i++) values[i] = fromFloat32Bits(bits[i]!);
    }
    return { values, overflow: firstOverflow(source, (index) => (values[index]! & magnitudeMask) !== infinity) };
  }

  const { codes, dtype: from } = codesOf(operation, data, dtype);
  const values = new Uint16Array(codes.length);
  if (from === target) values.set(codes);
  else {
    const table = recodeTable(from, target);
    for (let i = 0; i < values.length; i++) values[i] = table[codes[i]!]!;
  }
  const decode = decodeTable(from);
  for (let i = 0; i < values.length; i++) {
    if ((values[i]! & magnitudeMask) === infinity && Number.isFinite(decode[codes[i]!])) return { values, overflow: { index: i, value: decode[codes[i]!]! } };
  }
  return { values, overflow: undefined };
}

/** The first finite element whose result is not. */
function firstOverflow(source: Float32Array | Float64Array, fits: (index: number) => boolean): Overflow | undefined {
  for (let i = 0; i < source.length; i++) {
    if (!fits(i) && Number.isFinite(source[i])) return { index: i, value: source[i]! };
  }
  return undefined;
}

function codesOf(operation: string, data: ArrayBufferView, dtype: Dtype): { codes: Uint8Array | Uint16Array; dtype: SmallFloat } {
  if (!Object.hasOwn(LAYOUTS, dtype)) {
    throw new DtypeError(`${operation}: not a float dtype this converts; expected F64, F32, F16, BF16, F8_E4M3 or F8_E5M2, got ${dtype}; use asTypedArray for its elements`, { dtype });
  }
  return { codes: asTypedArray(data, dtype as SmallFloat), dtype: dtype as SmallFloat };
}

/** The value of every code; every small float is exact in f32. Made on first use, at most 256 KiB. */
function decodeTable(dtype: SmallFloat): Float32Array<ArrayBuffer> {
  const make = (): Float32Array<ArrayBuffer> => Float32Array.from({ length: 2 ** bitsOf(dtype) }, (_, code) => decodeFloat(code, LAYOUTS[dtype]));
  return cached(dtype, make);
}

/** The code in `to` of every code in `from`. */
function recodeTable(from: SmallFloat, to: "F16" | "BF16"): Uint16Array<ArrayBuffer> {
  return cached(`${from} ${to}`, () => Uint16Array.from(decodeTable(from), (value) => encodeFloat(value, LAYOUTS[to])));
}

function cached<T extends Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>>(key: string, make: () => T): T {
  const table = (tables.get(key) as T | undefined) ?? make();
  tables.set(key, table);
  return table;
}
