import { excerpt, FormatError, shorten } from "@kto/core";
import { GGML_TYPES, ggmlByteLength, type GgmlType, isGgmlType } from "../ggml-types.js";
import { HeaderBuilder } from "./header-builder.js";
import { MAX_ALIGNMENT, MAX_NAME_BYTES, MAX_RANK, MAX_TENSORS } from "./limits.js";
import type { MetadataValue } from "./metadata.js";
import { alignmentOf } from "./read-metadata.js";
import { padded } from "./read-tensor-infos.js";

/** What the header says of a tensor. */
export interface GgufTensorSpec {
  /** At most 63 bytes. */
  readonly name: string;
  readonly type: GgmlType;
  /** As PyTorch and safetensors have it, rows first: [out, in]; from one to four dimensions. */
  readonly shape: readonly number[];
}

/** Metadata by key, in the order in which they are written. */
export type GgufMetadata = Iterable<readonly [key: string, value: MetadataValue]>;

/** A header ready to write, and what follows it. */
export interface GgufPlan<T extends GgufTensorSpec> {
  /** Everything before the data, padding included. */
  header: Uint8Array<ArrayBuffer>;
  tensors: { tensor: T; byteLength: number; padding: number }[];
  /** Bytes of the whole file. */
  totalBytes: number;
}

/**
 * The header of a file with these tensors, in this order, and the length of everything in it: known before any value is.
 *
 * @throws FormatError for a key, value, name, shape or type that the format or llama.cpp does not take
 */
export function planGguf<T extends GgufTensorSpec>(metadata: GgufMetadata, tensors: Iterable<T>): GgufPlan<T> {
  const fail = (problem: string, tensor?: string): FormatError => new FormatError(`writeGguf: ${problem}`, { tensor });
  const entries = [...metadata];
  const planned = Array.from(tensors, (tensor) => ({ tensor, byteLength: checkTensor(tensor, fail) }));
  if (planned.length > MAX_TENSORS) throw fail(`too many tensors; expected at most ${MAX_TENSORS}, got ${planned.length}`);
  const alignment = alignmentOf(new Map(entries), fail);

  const header = new HeaderBuilder();
  header.raw(new TextEncoder().encode("GGUF"));
  header.u32(3);
  header.u64(planned.length);
  header.u64(entries.length);
  const keys = new Set<string>();
  for (const [key, value] of entries) {
    if (!/^[\x21-\x7e]{1,65535}$/.test(key)) {
      throw fail(`key ${excerpt(key, 120)} is not usable; expected up to 65535 ASCII letters, digits and signs, no blanks`);
    }
    if (keys.has(key)) throw fail(`a key is given twice; expected ${excerpt(key, 120)} once`);
    keys.add(key);
    header.text(key);
    header.value(value, (problem) => fail(`the value of ${shorten(key, 120)} ${problem}`));
  }
  const names = new Set<string>();
  let offset = 0;
  for (const { tensor, byteLength } of planned) {
    if (names.has(tensor.name)) throw fail(`two tensors have one name; expected ${excerpt(tensor.name, 120)} once`, tensor.name);
    names.add(tensor.name);
    header.text(tensor.name);
    header.u32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) header.u64(size);
    header.u32(GGML_TYPES[tensor.type].id);
    header.u64(offset);
    offset += padded(byteLength, alignment);
  }
  if (!Number.isSafeInteger(offset + MAX_ALIGNMENT)) throw fail("the file would be too large; expected fewer than 2^53 bytes");
  const bytes = header.finish(alignment);
  const withPadding = planned.map(({ tensor, byteLength }) => ({
    tensor,
    byteLength,
    padding: padded(byteLength, alignment) - byteLength,
  }));
  return { header: bytes, tensors: withPadding, totalBytes: bytes.byteLength + offset };
}

/** Byte length of a tensor that can be written. */
function checkTensor({ name, type, shape }: GgufTensorSpec, fail: (problem: string, tensor: string) => FormatError): number {
  const wrong = (what: string): FormatError => fail(`tensor ${excerpt(name, 120)}: ${what}`, name);
  const nameBytes = new TextEncoder().encode(name).byteLength;
  if (nameBytes < 1 || nameBytes > MAX_NAME_BYTES)
    throw wrong(`its name has another length than llama.cpp takes; expected from 1 to ${MAX_NAME_BYTES} bytes, got ${nameBytes}`);
  if (/[\0\p{Surrogate}]/u.test(name)) throw wrong("its name is not well-formed; expected no zero and no lone surrogate");
  if (!isGgmlType(type)) throw wrong(`unknown type; expected one of ${Object.keys(GGML_TYPES).join(", ")}, got ${String(type)}`);
  const isShape = shape.length >= 1 && shape.length <= MAX_RANK && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!isShape) throw wrong(`bad shape; expected from 1 to ${MAX_RANK} whole numbers from 1, got [${shape.join(", ")}]`);
  const byteLength = ggmlByteLength(type, shape);
  if (byteLength !== undefined) return byteLength;
  const { blockValues } = GGML_TYPES[type];
  throw wrong(
    `its rows are no whole blocks; expected a last dimension that is a multiple of ${blockValues} for ${type}, got [${shape.join(", ")}]`,
  );
}
