import { DtypeError } from "@kto/core";

/**
 * Bits of one element, in the format's order. The reference writer puts tensors in descending order of this list,
 * which is why it is a list: larger elements come first, so every tensor is aligned to its own element size.
 */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** An element type as it is spelled in the file. */
export type Dtype = keyof typeof BITS;

/** Every dtype, in the order of the format. */
export const DTYPES: readonly Dtype[] = /* @__PURE__ */ Object.keys(BITS) as Dtype[];

/** True for the name of a dtype of the format. */
export function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(BITS, value);
}

/** Bits of one element; 4 and 6 for the packed sub-byte types. */
export function bitsOf(dtype: Dtype): number {
  return BITS[dtype];
}

/** Bytes of one element. Throws `DtypeError` for the packed types of less than a byte. */
export function byteSizeOf(dtype: Dtype): number {
  if (BITS[dtype] % 8 !== 0) {
    throw new DtypeError(
      `byteSizeOf: ${dtype} elements are smaller than a byte; expected a dtype of whole bytes, got ${BITS[dtype]} bits; use bitsOf`,
      { dtype },
    );
  }
  return BITS[dtype] / 8;
}

/** Product of the dimensions, 1 for a scalar; undefined when it cannot be held exactly (2^53 or more). */
export function elementCount(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  const count = shape.reduce((product, size) => product * size, 1);
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Bytes of a dense tensor; undefined when they are too many to count exactly or no whole number. */
export function byteLengthOf(dtype: Dtype, shape: readonly number[]): number | undefined {
  const count = elementCount(shape);
  const bytes = count === undefined ? undefined : (count * BITS[dtype]) / 8;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
