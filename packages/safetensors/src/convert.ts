import { DtypeError } from "@kto/core";
import { type Dtype, bitsOf } from "./dtype.js";
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

type HalfFloat = "F16" | "BF16";
type SmallFloat = HalfFloat | "F8_E4M3" | "F8_E5M2";
const LAYOUTS: Record<SmallFloat, FloatLayout> = { F16: FLOAT16, BF16: BFLOAT16, F8_E4M3: FLOAT8_E4M3, F8_E5M2: FLOAT8_E5M2 };
const INFINITY: Record<HalfFloat, number> = { F16: 0x7c00, BF16: 0x7f80 };
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
    const index = source.findIndex((value, i) => Number.isFinite(value) && !Number.isFinite(values[i]));
    return { values, overflow: index < 0 ? undefined : { index, value: source[index]! } };
  }
  if (dtype === "F32") return { values: new Float32Array(asTypedArray(data, "F32")), overflow: undefined };
  const { codes, dtype: from } = codesOf("toFloat32", data, dtype);
  const table = decodeTable(from);
  const values = new Float32Array(codes.length);
  for (let i = 0; i < values.length; i++) values[i] = table[codes[i]!]!;
  return { values, overflow: undefined };
}

/**
 * Elements of a float dtype as f16 bits, rounded once to nearest, ties to even. NaN becomes 0x7e00.
 *
 * @throws DtypeError for other dtypes
 */
export function toFloat16(data: ArrayBufferView, dtype: Dtype): Converted<Uint16Array<ArrayBuffer>> {
  return toHalf("toFloat16", data, dtype, "F16");
}

/**
 * Elements of a float dtype as bf16 bits, rounded once to nearest, ties to even. NaN becomes 0x7fc0.
 *
 * @throws DtypeError for other dtypes
 */
export function toBfloat16(data: ArrayBufferView, dtype: Dtype): Converted<Uint16Array<ArrayBuffer>> {
  return toHalf("toBfloat16", data, dtype, "BF16");
}

/** The loops only note whether they met an infinity; which element it was is looked for afterwards, and only then. */
function toHalf(operation: string, data: ArrayBufferView, dtype: Dtype, target: HalfFloat): Converted<Uint16Array<ArrayBuffer>> {
  if (dtype === "F64") return fromFloat64(asTypedArray(data, "F64"), target);
  if (dtype === "F32") return fromFloat32(asTypedArray(data, "F32"), target);
  const { codes, dtype: from } = codesOf(operation, data, dtype);
  return from === target ? { values: new Uint16Array(codes), overflow: undefined } : recode(codes, from, target);
}

function recode(codes: Uint16Array, from: SmallFloat, target: HalfFloat): Converted<Uint16Array<ArrayBuffer>> {
  const table = recodeTable(from, target);
  const infinity = INFINITY[target];
  const values = new Uint16Array(codes.length);
  let infinite = false;
  for (let i = 0; i < values.length; i++) {
    const half = table[codes[i]!]!;
    values[i] = half;
    if ((half & 0x7fff) === infinity) infinite = true;
  }
  const decode = decodeTable(from);
  return { values, overflow: infinite ? firstOverflow(values, target, (index) => decode[codes[index]!]!) : undefined };
}

function fromFloat64(source: Float64Array, target: HalfFloat): Converted<Uint16Array<ArrayBuffer>> {
  const values = Uint16Array.from(source, (value) => encodeFloat(value, LAYOUTS[target]));
  return { values, overflow: firstOverflow(values, target, (index) => source[index]!) };
}

function fromFloat32(source: Float32Array, target: HalfFloat): Converted<Uint16Array<ArrayBuffer>> {
  const bits = asTypedArray(source, "U32");
  const values = new Uint16Array(bits.length);
  const infinity = INFINITY[target];
  const convert = target === "F16" ? float32BitsToFloat16 : float32BitsToBfloat16;
  let infinite = false;
  for (let i = 0; i < values.length; i++) {
    const half = convert(bits[i]!);
    values[i] = half;
    if ((half & 0x7fff) === infinity) infinite = true;
  }
  return { values, overflow: infinite ? firstOverflow(values, target, (index) => source[index]!) : undefined };
}

/** The first infinity among `values` that was finite before. */
function firstOverflow(values: Uint16Array, target: HalfFloat, before: (index: number) => number): Overflow | undefined {
  const index = values.findIndex((half, i) => (half & 0x7fff) === INFINITY[target] && Number.isFinite(before(i)));
  return index < 0 ? undefined : { index, value: before(index) };
}

/** The elements as numbers from 0 to 65535, always in a `Uint16Array`: one kind of array keeps the loops fast. */
function codesOf(operation: string, data: ArrayBufferView, dtype: Dtype): { codes: Uint16Array; dtype: SmallFloat } {
  if (!isSmallFloat(dtype)) {
    throw new DtypeError(
      `${operation}: not a float dtype this converts; expected F64, F32, F16, BF16, F8_E4M3 or F8_E5M2, got ${dtype}; use asTypedArray for its elements`,
      { dtype },
    );
  }
  const codes = asTypedArray(data, dtype);
  return { codes: codes instanceof Uint16Array ? codes : new Uint16Array(codes), dtype };
}

function isSmallFloat(dtype: Dtype): dtype is SmallFloat {
  return Object.hasOwn(LAYOUTS, dtype);
}

/** The value of every code; every small float is exact in f32. Made on first use, at most 256 KiB. */
function decodeTable(dtype: SmallFloat): Float32Array<ArrayBuffer> {
  const make = (): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: 2 ** bitsOf(dtype) }, (_, code) => decodeFloat(code, LAYOUTS[dtype]));
  return cached(dtype, make);
}

/** The code in `to` of every code in `from`. */
function recodeTable(from: SmallFloat, to: HalfFloat): Uint16Array<ArrayBuffer> {
  return cached(`${from} ${to}`, () => Uint16Array.from(decodeTable(from), (value) => encodeFloat(value, LAYOUTS[to])));
}

function cached<T extends Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>>(key: string, make: () => T): T {
  const table = (tables.get(key) as T | undefined) ?? make();
  tables.set(key, table);
  return table;
}
