import { byteStreamSplit } from "hyparquet/src/encoding.js";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readPlain } from "hyparquet/src/plain.js";
import type { ParquetType } from "hyparquet";
import { PHYSICAL } from "./cells.js";
import type { Fail } from "./damage.js";
import { unpackHybrid } from "./levels.js";
import { ENCODING } from "./page-header.js";
import type { Leaf } from "./schema.js";

/** The values of a page that are not null, as they are stored. */
export interface PageValues {
  readonly length: number;
  at(index: number): unknown;
  /** Bytes of memory that they take. */
  readonly byteLength: number;
}

/** Names of physical types in hyparquet. */
const TYPE_NAMES: readonly ParquetType[] = ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"];

/** Bytes of a value of each physical type; 0 where it has its own length. */
const WIDTHS = [0, 4, 8, 12, 4, 8, 0, 0];

/** Deltas come in blocks; writers make blocks of 128 in four parts. */
const MAX_DELTA_BLOCK = 2 ** 16;
const MAX_DELTA_PARTS = 512;

/** Bytes of texts that share their beginnings may be more than the page; so many more at most. */
const MAX_GROWTH = 64;
const ALWAYS_ALLOWED = 2 ** 20;

/** Decodes `count` values from `bytes`, all of which lie in a buffer of their own. Calls `fail` for bytes that do not hold them. */
export function decodeValues(
  bytes: Uint8Array,
  encoding: number,
  count: number,
  leaf: Leaf,
  dictionary: PageValues | undefined,
  fail: Fail,
): PageValues {
  if (count === 0) return { length: 0, byteLength: 0, at: () => undefined };
  const { physicalType } = leaf;
  switch (encoding) {
    case ENCODING.plain:
      return plainValues(bytes, count, leaf, fail);
    case ENCODING.plainDictionary:
    case ENCODING.dictionary:
      return dictionaryValues(bytes, count, dictionary ?? fail("it has no dictionary"), fail);
    case ENCODING.rle:
      return physicalType === PHYSICAL.boolean ? runsOfBooleans(bytes, count, fail) : fail("runs of values are for booleans only");
    case ENCODING.deltaInteger:
      if (physicalType !== PHYSICAL.int32 && physicalType !== PHYSICAL.int64) fail("deltas are for integers only");
      return arrayValues(deltas(bytes, 0, count, physicalType === PHYSICAL.int64, fail).values);
    case ENCODING.deltaLength:
      return physicalType === PHYSICAL.bytes ? deltaLengthValues(bytes, count, fail) : fail("lengths are for bytes only");
    case ENCODING.deltaBytes:
      return physicalType === PHYSICAL.bytes || physicalType === PHYSICAL.fixed
        ? deltaBytesValues(bytes, count, leaf, fail)
        : fail("shared beginnings are for bytes only");
    case ENCODING.split:
      return splitValues(bytes, count, leaf, fail);
  }
  return fail(`its values have the unknown encoding ${encoding}`);
}

function plainValues(bytes: Uint8Array, count: number, leaf: Leaf, fail: Fail): PageValues {
  const { physicalType, typeLength } = leaf;
  if (physicalType === PHYSICAL.boolean) {
    if (bytes.length < count / 8) fail(`${count} booleans lie in ${bytes.length} bytes`);
    return { length: count, byteLength: bytes.length, at: (index) => ((bytes[index >> 3]! >> (index & 7)) & 1) === 1 };
  }
  if (physicalType === PHYSICAL.bytes) return lengthBeforeEach(bytes, count, fail);
  const width = widthOf(leaf);
  if (bytes.length < count * width) fail(`${count} values of ${width} bytes lie in ${bytes.length}`);
  if (physicalType === PHYSICAL.fixed || physicalType === PHYSICAL.int96) {
    return { length: count, byteLength: bytes.length, at: (index) => bytes.subarray(index * width, (index + 1) * width) };
  }
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  return arrayValues(readPlain(reader, TYPE_NAMES[physicalType]!, count, typeLength) as NumberArray);
}

function splitValues(bytes: Uint8Array, count: number, leaf: Leaf, fail: Fail): PageValues {
  const { physicalType, typeLength } = leaf;
  const width = widthOf(leaf);
  if (width === 0 || physicalType === PHYSICAL.int96 || bytes.length < count * width)
    fail(`${count} values of ${width} bytes, split, lie in ${bytes.length}`);
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const values = byteStreamSplit(reader, count, TYPE_NAMES[physicalType]!, typeLength);
  if (physicalType !== PHYSICAL.fixed) return arrayValues(values as NumberArray);
  return { length: count, byteLength: bytes.length, at: (index) => values[index] };
}

type NumberArray = Int32Array | BigInt64Array | Float32Array | Float64Array;

function arrayValues(values: NumberArray): PageValues {
  return { length: values.length, byteLength: values.byteLength, at: (index) => values[index] };
}

function widthOf({ physicalType, typeLength }: Leaf): number {
  return physicalType === PHYSICAL.fixed ? typeLength : WIDTHS[physicalType]!;
}

/** Bytes one after the other, each from `starts[index]` to the next start less `gap`. */
function slices(bytes: Uint8Array, starts: Uint32Array, gap: number): PageValues {
  const at = (index: number): Uint8Array => bytes.subarray(starts[index], starts[index + 1]! - gap);
  return { length: starts.length - 1, byteLength: bytes.length + starts.byteLength, at };
}

function lengthBeforeEach(bytes: Uint8Array, count: number, fail: Fail): PageValues {
  if (bytes.length < count * 4) fail(`${count} lengths lie in ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = new Uint32Array(count + 1);
  let offset = 0;
  for (let index = 0; index < count; index++) {
    const left = bytes.length - offset - 4;
    const length = left < 0 ? 1 : view.getUint32(offset, true);
    if (length > left) fail(`value ${index} of ${count} goes past its bytes`);
    starts[index] = offset + 4;
    offset += 4 + length;
  }
  starts[count] = offset + 4;
  return slices(bytes, starts, 4);
}

function dictionaryValues(bytes: Uint8Array, count: number, dictionary: PageValues, fail: Fail): PageValues {
  const width = bytes[0] ?? fail("it is empty");
  const indices = new Uint32Array(count);
  unpackHybrid(bytes, 1, bytes.length, width, indices, fail);
  for (const index of indices) if (index >= dictionary.length) fail(`entry ${index} is not in its dictionary of ${dictionary.length}`);
  return { length: count, byteLength: indices.byteLength, at: (index) => dictionary.at(indices[index]!) };
}

function runsOfBooleans(bytes: Uint8Array, count: number, fail: Fail): PageValues {
  const values = new Uint8Array(count);
  unpackHybrid(bytes, 4, bytes.length, 1, values, fail);
  return { length: count, byteLength: count, at: (index) => values[index] === 1 };
}

/** Integers by their differences, from `start`; also where they end. */
function deltas(
  bytes: Uint8Array,
  start: number,
  count: number,
  large: boolean,
  fail: Fail,
): { values: Int32Array | BigInt64Array; end: number } {
  let offset = start;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[offset++] ?? fail("its deltas end early");
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return fail("a count of its deltas has no end");
  };
  const [block, parts, total] = [next(), next(), next()];
  const fits =
    block >= 1 && block <= MAX_DELTA_BLOCK && parts >= 1 && parts <= MAX_DELTA_PARTS && block % parts === 0 && (block / parts) % 8 === 0;
  if (!fits || total !== count) fail(`its deltas are ${total} in blocks of ${block} in ${parts} parts, where ${count} values are expected`);
  const values = large ? new BigInt64Array(count) : new Int32Array(count);
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: start };
  deltaBinaryUnpack(reader, count, values);
  return { values, end: reader.offset };
}

function lengths(bytes: Uint8Array, start: number, count: number, fail: Fail): { values: Int32Array; end: number } {
  const { values, end } = deltas(bytes, start, count, false, fail);
  return { values: values as Int32Array, end };
}

function deltaLengthValues(bytes: Uint8Array, count: number, fail: Fail): PageValues {
  const { values, end } = lengths(bytes, 0, count, fail);
  const starts = new Uint32Array(count + 1);
  let offset = end;
  for (let index = 0; index < count; index++) {
    starts[index] = offset;
    const length = values[index]!;
    if (length < 0 || length > bytes.length - offset) fail(`value ${index} of ${count} goes past its bytes`);
    offset += length;
  }
  starts[count] = offset;
  return slices(bytes, starts, 0);
}

/** Each value is the beginning of the one before it, and bytes of its own. */
function deltaBytesValues(bytes: Uint8Array, count: number, { physicalType, typeLength }: Leaf, fail: Fail): PageValues {
  const prefixes = lengths(bytes, 0, count, fail);
  const suffixes = lengths(bytes, prefixes.end, count, fail);
  const starts = new Uint32Array(count + 1);
  const most = ALWAYS_ALLOWED + MAX_GROWTH * bytes.length;
  let total = 0;
  let left = bytes.length - suffixes.end;
  for (let index = 0; index < count; index++) {
    const [prefix, suffix] = [prefixes.values[index]!, suffixes.values[index]!];
    const before = index === 0 ? 0 : total - starts[index - 1]!;
    if (prefix < 0 || prefix > before || suffix < 0 || suffix > left) fail(`value ${index} of ${count} goes past its bytes`);
    if (physicalType === PHYSICAL.fixed && prefix + suffix !== typeLength)
      fail(`value ${index} has ${prefix + suffix} bytes, where ${typeLength} are expected`);
    starts[index] = total;
    total += prefix + suffix;
    left -= suffix;
    if (total > most) fail(`its values have more than ${most} bytes together, in a page of ${bytes.length}`);
  }
  starts[count] = total;
  const out = new Uint8Array(total);
  let offset = suffixes.end;
  for (let index = 0; index < count; index++) {
    const [prefix, suffix, start] = [prefixes.values[index]!, suffixes.values[index]!, starts[index]!];
    if (prefix > 0) out.copyWithin(start, starts[index - 1]!, starts[index - 1]! + prefix);
    out.set(bytes.subarray(offset, offset + suffix), start + prefix);
    offset += suffix;
  }
  return slices(out, starts, 0);
}
