import { excerpt } from "@kto/core";
import { GGML_TYPES, ggmlByteLength, type GgmlType, ggmlTypeOfId } from "../ggml-types.js";
import type { HeaderBytes } from "./header-bytes.js";
import { MAX_NAME_BYTES, MAX_RANK } from "./limits.js";

/** Where a tensor lies in its file. */
export interface GgufTensorInfo {
  readonly name: string;
  readonly type: GgmlType;
  /** As PyTorch and safetensors have it, rows first: [out, in]. The file has it the other way round. */
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Fewest bytes of a description: length of the name, one letter, dimensions, type, offset. */
const LEAST_INFO_BYTES = 33;

/** n rounded up to a multiple of the alignment. */
export function padded(n: number, alignment: number): number {
  return Math.ceil(n / alignment) * alignment;
}

/**
 * Reads the descriptions of so many tensors. As llama.cpp asks, each begins where the padding of the one before ends; together they fill the file.
 *
 * @throws FormatError naming the tensor and both numbers
 */
export async function readTensorInfos(
  bytes: HeaderBytes,
  count: number,
  alignment: number,
  fileLength: number,
): Promise<Map<string, GgufTensorInfo>> {
  bytes.expectRoom(count * LEAST_INFO_BYTES, "the descriptions of tensors");
  const found: { name: string; type: GgmlType; shape: number[]; offset: number; byteLength: number }[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    const name = await bytes.text(`the name of tensor ${index}`, MAX_NAME_BYTES);
    const label = `tensor ${excerpt(name, 120)}`;
    if (name === "") throw bytes.fail(`the name of tensor ${index} is empty; expected a name`);
    if (names.has(name)) throw bytes.fail(`${label} is there twice; expected it once`, { tensor: name });
    names.add(name);
    const rank = await bytes.u32(`${label}: the number of dimensions`);
    if (rank < 1 || rank > MAX_RANK) throw bytes.fail(`${label}: expected from 1 to ${MAX_RANK} dimensions, got ${rank}`, { tensor: name });
    const shape: number[] = [];
    for (let dimension = 0; dimension < rank; dimension++) {
      const size = await bytes.count(`${label}: a dimension`, Number.MAX_SAFE_INTEGER);
      if (size === 0) throw bytes.fail(`${label}: dimension ${dimension} is empty; expected at least 1, got 0`, { tensor: name });
      shape.unshift(size);
    }
    const type = typeOfId(bytes, await bytes.u32(`${label}: its type`), label, name);
    const offset = await bytes.count(`${label}: its offset`, fileLength);
    const byteLength = ggmlByteLength(type, shape);
    if (byteLength === undefined) {
      throw bytes.fail(
        `${label}: its size cannot be; expected rows of whole blocks of ${GGML_TYPES[type].blockValues} and fewer than 2^53 bytes, got ${type} [${shape.join(", ")}]`,
        { tensor: name },
      );
    }
    found.push({ name, type, shape, offset, byteLength });
  }

  const dataStart = padded(bytes.position, alignment);
  let expected = 0;
  let end = found.length === 0 ? bytes.position : dataStart;
  const infos = new Map<string, GgufTensorInfo>();
  for (const { offset, ...info } of found) {
    const label = `tensor ${excerpt(info.name, 120)}`;
    if (offset !== expected) {
      throw bytes.fail(`${label} does not follow the one before it; expected offset ${expected}, got ${offset}`, { tensor: info.name });
    }
    end = dataStart + offset + info.byteLength;
    if (end > fileLength) {
      throw bytes.fail(
        `${label} ends beyond the file; expected ${end} bytes, got ${fileLength}; the file is truncated, download it again`,
        {
          tensor: info.name,
        },
      );
    }
    expected += padded(info.byteLength, alignment);
    infos.set(info.name, { ...info, byteOffset: dataStart + offset });
  }
  if (fileLength > padded(end, alignment)) {
    throw bytes.fail(`bytes after the last tensor; expected ${padded(end, alignment)} bytes, got ${fileLength}; the file is damaged`);
  }
  return infos;
}

function typeOfId(bytes: HeaderBytes, id: number, label: string, tensor: string): GgmlType {
  const type = ggmlTypeOfId(id);
  if (type !== undefined) return type;
  throw bytes.fail(
    `${label} has a type that is not read here; expected one of ${Object.keys(GGML_TYPES).join(", ")}, got number ${id}; take a file in another quantisation`,
    { tensor },
  );
}
