import { BoundsError } from "@kto/core";
import { type Dtype, bitsOf } from "./dtype.js";

interface TypedArrays {
  BOOL: Uint8Array;
  F4: Uint8Array;
  F6_E2M3: Uint8Array;
  F6_E3M2: Uint8Array;
  U8: Uint8Array;
  I8: Int8Array;
  F8_E5M2: Uint8Array;
  F8_E4M3: Uint8Array;
  F8_E8M0: Uint8Array;
  F8_E4M3FNUZ: Uint8Array;
  F8_E5M2FNUZ: Uint8Array;
  I16: Int16Array;
  U16: Uint16Array;
  F16: Uint16Array;
  BF16: Uint16Array;
  I32: Int32Array;
  U32: Uint32Array;
  F32: Float32Array;
  C64: Float32Array;
  F64: Float64Array;
  I64: BigInt64Array;
  U64: BigUint64Array;
}

/** The typed array for a dtype: numbers where JavaScript has them, else bits (`Uint16Array` for F16 and BF16), re/im pairs for C64, packed bytes below 8 bits. */
export type TypedArrayOf<D extends Dtype> = TypedArrays[D];

/**
 * The elements of a tensor as a typed array: a view of `data` where its offset allows one, a copy otherwise.
 *
 * @throws BoundsError when `data` is no whole number of elements
 */
export function asTypedArray<D extends Dtype>(data: ArrayBufferView, dtype: D): TypedArrayOf<D> {
  const constructors = {
    I8: Int8Array,
    I16: Int16Array,
    I32: Int32Array,
    U32: Uint32Array,
    F32: Float32Array,
    C64: Float32Array,
    F64: Float64Array,
    I64: BigInt64Array,
    U64: BigUint64Array,
  };
  const ArrayType =
    dtype in constructors ? constructors[dtype as keyof typeof constructors] : bitsOf(dtype) === 16 ? Uint16Array : Uint8Array;
  const size = Math.max(1, bitsOf(dtype) / 8);
  if (data.byteLength % size !== 0)
    throw new BoundsError(
      `asTypedArray: no whole number of ${dtype} elements; expected a multiple of ${size} bytes, got ${data.byteLength}`,
    );
  const bytes = bytesOf(data);
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new ArrayType(buffer as ArrayBuffer, byteOffset, byteLength / ArrayType.BYTES_PER_ELEMENT) as unknown as TypedArrayOf<D>;
}

/** The bytes under any view, not copied. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
