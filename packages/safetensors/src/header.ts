import { excerpt, FormatError } from "@kto/core";
import { type Dtype, byteLengthOf, isDtype } from "./dtype.js";
import { type JsonValue, parseJsonBytes } from "./json.js";
import { MAX_RANK, MAX_TENSORS } from "./limits.js";

/** Where a tensor lies in its file. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** What a header says, checked. */
export interface Header {
  /** In the order of their bytes. */
  tensors: Map<string, TensorInfo>;
  /** `__metadata__`, without a prototype. */
  metadata: Record<string, string>;
}

/**
 * Parses and checks the JSON part of a header.
 *
 * Every tensor has a known dtype and a shape that fills its bytes; together they cover the data without overlap, hole or tail.
 *
 * @param bytes            the JSON, padding included
 * @param dataByteLength   bytes of the file after the header
 * @throws FormatError naming the tensor and both numbers
 */
export function parseHeader(bytes: Uint8Array, dataByteLength: number, source?: string): Header {
  const dataStart = 8 + bytes.byteLength;
  const fail = (what: string, tensor?: string, cause?: unknown): never => {
    const where = tensor === undefined ? "" : `tensor ${excerpt(tensor, 120)}: `;
    throw new FormatError(`openSafetensors: ${source ? `${source}: ` : ""}${where}${what}`, { source, tensor, cause });
  };

  if (bytes[0] !== 0x7b) fail(`header is no JSON object; expected {, got ${bytes[0] === undefined ? "nothing" : `byte ${bytes[0]}`}`);
  let json: JsonValue;
  try {
    json = parseJsonBytes(bytes);
  } catch (cause) {
    return fail(`header is not valid JSON; ${(cause as Error).message}; the file is damaged`, undefined, cause);
  }
  const entries = json as Map<string, JsonValue>; // an object, since it begins with {

  const metadata = Object.create(null) as Record<string, string>;
  const found = entries.get("__metadata__") ?? new Map<string, JsonValue>();
  entries.delete("__metadata__");
  if (!(found instanceof Map)) return fail(`__metadata__ is no object; expected string values by key, got ${describe(found)}`);
  for (const [key, value] of found) {
    metadata[key] = typeof value === "string" ? value : fail(`__metadata__ ${excerpt(key, 120)} is no string; got ${describe(value)}`);
  }

  if (entries.size > MAX_TENSORS) fail(`too many tensors; expected at most ${MAX_TENSORS}, got ${entries.size}`);
  const infos = [...entries].map(([name, entry]) => parseTensor(name, entry, dataStart, (what) => fail(what, name)));
  infos.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);

  let end = dataStart;
  let previous = "the header";
  for (const { name, byteOffset, byteLength } of infos) {
    if (byteOffset !== end) {
      const fault = byteOffset < end ? `overlaps ${previous}` : `leaves a hole after ${previous}`;
      fail(`${fault}; expected it to begin at byte ${end - dataStart} of the data, got ${byteOffset - dataStart}`, name);
    }
    end = byteOffset + byteLength;
    previous = excerpt(name, 120);
    if (end > dataStart + dataByteLength)
      fail(
        `ends beyond the file; expected at most ${dataByteLength} bytes of data, got ${end - dataStart}; the file is truncated, download it again`,
        name,
      );
  }
  if (end !== dataStart + dataByteLength)
    fail(`bytes after the last tensor; expected ${end - dataStart} bytes of data, got ${dataByteLength}; the file is damaged`);
  return { tensors: new Map(infos.map((info) => [info.name, info])), metadata };
}

/** One entry: `{ dtype, shape, data_offsets: [begin, end] }`, offsets from the start of the data. Unknown keys are ignored, as the reference reader does. */
function parseTensor(name: string, entry: JsonValue, dataStart: number, fail: (what: string) => never): TensorInfo {
  if (!(entry instanceof Map)) return fail(`entry is no object; got ${describe(entry)}`);
  const dtype = entry.get("dtype");
  if (!isDtype(dtype)) return fail(`unknown dtype; expected one of the format (F32, F16, BF16, …), got ${describe(dtype)}`);
  const shape = sizes(entry.get("shape"));
  if (!shape || shape.length > MAX_RANK)
    return fail(`bad shape; expected at most ${MAX_RANK} whole numbers from 0 to 2^53 − 1, got ${describe(entry.get("shape"))}`);
  const offsets = sizes(entry.get("data_offsets"));
  const [begin, end] = offsets ?? [];
  if (offsets?.length !== 2 || begin === undefined || end === undefined || begin > end || !Number.isSafeInteger(dataStart + end)) {
    return fail(`bad data_offsets; expected [begin, end] with 0 ≤ begin ≤ end, got ${describe(entry.get("data_offsets"))}`);
  }
  const byteLength = byteLengthOf(dtype, shape);
  if (byteLength === undefined)
    return fail(`size cannot be counted; expected a whole number of bytes below 2^53, got ${dtype} [${shape.join(", ")}]`);
  if (byteLength !== end - begin)
    return fail(`shape and bytes differ; expected ${byteLength} bytes for ${dtype} [${shape.join(", ")}], got ${end - begin}`);
  return { name, dtype, shape, byteOffset: dataStart + begin, byteLength };
}

/** The value as a list of non-negative safe integers, or undefined. */
function sizes(value: JsonValue | undefined): number[] | undefined {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0)
    ? (value as number[])
    : undefined;
}

/** A value for a message: JSON, cut to a readable length. */
function describe(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value instanceof Map) return "an object";
  const text = Array.isArray(value)
    ? `[${value.slice(0, 8).map(describe).join(", ")}${value.length > 8 ? ", …" : ""}]`
    : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
