import { FormatError } from "@kto/core";
import { DTYPES, type Dtype, byteLengthOf, isDtype } from "./dtype.js";
import { MAX_HEADER_BYTES, MAX_TENSORS } from "./limits.js";

/** What the header needs to know of a tensor. */
export interface TensorSpec {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A header ready to write, and the order in which the data follow it. */
export interface HeaderPlan<T extends TensorSpec> {
  /** Length, JSON and padding. */
  bytes: Uint8Array<ArrayBuffer>;
  tensors: { name: string; tensor: T; byteLength: number }[];
  /** Bytes of the whole file. */
  totalBytes: number;
}

/**
 * The header of Python's `safetensors` for the same tensors, byte for byte: `__metadata__` first (in the order given; Python's own order of several keys is random),
 * tensors by dtype, largest first, then by name in code points, JSON without spaces, padded with spaces to a multiple of 8.
 *
 * @throws FormatError for a name, shape, dtype or metadata value that the format cannot hold
 */
export function planHeader<T extends TensorSpec>(
  tensors: Iterable<readonly [string, T]>,
  metadata: Readonly<Record<string, string>> | undefined,
): HeaderPlan<T> {
  const planned = Array.from(tensors, ([name, tensor]) => ({ name, tensor, byteLength: checkTensor(name, tensor) }));
  if (planned.length > MAX_TENSORS)
    throw new FormatError(
      `writeSafetensors: too many tensors; expected at most ${MAX_TENSORS}, got ${planned.length}; write several files`,
    );
  planned.sort((a, b) => DTYPES.indexOf(b.tensor.dtype) - DTYPES.indexOf(a.tensor.dtype) || compareCodePoints(a.name, b.name));

  const parts = metadata ? [`"__metadata__":${stringMap(metadata)}`] : [];
  let offset = 0;
  const seen = new Set<string>();
  for (const { name, tensor, byteLength } of planned) {
    if (seen.has(name))
      throw new FormatError(`writeSafetensors: two tensors have one name; expected ${JSON.stringify(name)} once`, { tensor: name });
    seen.add(name);
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${tensor.dtype}","shape":[${tensor.shape.join(",")}],"data_offsets":[${offset},${offset + byteLength}]}`,
    );
    offset += byteLength;
  }

  const json = new TextEncoder().encode(`{${parts.join(",")}}`);
  const paddedLength = Math.ceil(json.byteLength / 8) * 8;
  if (paddedLength > MAX_HEADER_BYTES)
    throw new FormatError(
      `writeSafetensors: header is too long for readers; expected at most ${MAX_HEADER_BYTES} bytes, got ${paddedLength}`,
    );
  const bytes = new Uint8Array(8 + paddedLength).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(paddedLength), true);
  bytes.set(json, 8);
  return { bytes, tensors: planned, totalBytes: bytes.byteLength + offset };
}

/** Byte length of a tensor that can be written. */
function checkTensor(name: string, { dtype, shape }: TensorSpec): number {
  const fail = (what: string): never => {
    throw new FormatError(`writeSafetensors: tensor ${JSON.stringify(name)}: ${what}`, { tensor: name });
  };
  if (name === "__metadata__") fail("this name is the format's own; expected another; pass metadata as an option");
  if (/\p{Surrogate}/u.test(name)) fail("name is not well-formed; expected no lone surrogates");
  if (!isDtype(dtype)) fail(`unknown dtype; expected one of ${DTYPES.join(", ")}, got ${String(dtype)}`);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    fail(`bad shape; expected whole numbers from 0, got [${shape.join(", ")}]`);
  return (
    byteLengthOf(dtype, shape) ??
    fail(`size cannot be counted; expected a whole number of bytes below 2^53, got ${dtype} [${shape.join(", ")}]`)
  );
}

function stringMap(metadata: Readonly<Record<string, string>>): string {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string")
      throw new FormatError(
        `writeSafetensors: metadata ${JSON.stringify(key)} is no string; expected a string, got ${typeof value}; write String(value) or JSON`,
      );
    if (/\p{Surrogate}/u.test(key + " " + value))
      throw new FormatError(`writeSafetensors: metadata ${JSON.stringify(key)} is not well-formed; expected no lone surrogates`);
  }
  return JSON.stringify(metadata);
}

/** Order of Unicode code points, which is the order of the UTF-8 bytes; JavaScript's own order is that of UTF-16 units and differs beyond U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return a.codePointAt(i)! - b.codePointAt(i)!;
  }
  return a.length - b.length;
}
