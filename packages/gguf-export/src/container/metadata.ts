/** Arrays of numbers, as typed arrays so that they keep their bits. */
interface NumberArrays {
  u8: Uint8Array;
  i8: Int8Array;
  u16: Uint16Array;
  i16: Int16Array;
  u32: Uint32Array;
  i32: Int32Array;
  f32: Float32Array;
  u64: BigUint64Array;
  i64: BigInt64Array;
  f64: Float64Array;
}

interface NumberArrayConstructors {
  readonly u8: Uint8ArrayConstructor;
  readonly i8: Int8ArrayConstructor;
  readonly u16: Uint16ArrayConstructor;
  readonly i16: Int16ArrayConstructor;
  readonly u32: Uint32ArrayConstructor;
  readonly i32: Int32ArrayConstructor;
  readonly f32: Float32ArrayConstructor;
  readonly u64: BigUint64ArrayConstructor;
  readonly i64: BigInt64ArrayConstructor;
  readonly f64: Float64ArrayConstructor;
}

/** A type of numbers. */
export type NumberType = keyof NumberArrayConstructors;

type NumberArray = { [Type in NumberType]: { readonly type: "array"; readonly of: Type; readonly value: NumberArrays[Type] } }[NumberType];

/** A value of the metadata with its type, which readers check: a u32 where they want a u32, and nothing else. */
export type MetadataValue =
  | { readonly type: "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64"; readonly value: number }
  | { readonly type: "u64"; readonly value: bigint }
  | { readonly type: "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "array"; readonly of: "string"; readonly value: readonly string[] }
  | { readonly type: "array"; readonly of: "bool"; readonly value: readonly boolean[] }
  | NumberArray;

/** The key that tells the alignment of a file. */
export const ALIGNMENT_KEY = "general.alignment";

/** Every type in the order of its number in a file. */
export const VALUE_TYPES: readonly ValueType[] = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
];

/** The type of a value. */
export type ValueType = MetadataValue["type"];

/** Typed arrays of the number types. */
export const numberArrays: NumberArrayConstructors = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
  f64: Float64Array,
};

/** True for a type of numbers. */
export function isNumberType(type: string): type is NumberType {
  return Object.hasOwn(numberArrays, type);
}
