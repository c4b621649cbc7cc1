import { type Cell, floatCell, foreignCell, halfFloat, integerCell, jsonCell, signedInteger, textCell } from "../tables/cells.js";
import { bytesText, dateText, decimalText, durationText, timestampText, timeText } from "../tables/python-text.js";
import { mapRecord, needsMap, record } from "../tables/records.js";
import type { Fail } from "./flatbuffer.js";
import type { ArrowField, ArrowType } from "./schema.js";

/** Values of a column in a record batch, made when they are read. */
export interface Vector {
  readonly length: number;
  at(index: number): unknown;
}

/** The parts of a record batch in the order in which its columns use them, and the dictionaries that came before it. */
export interface BatchParts {
  /** The next length, with the number of nulls. Calls `fail` where there is none. */
  node(fail: Fail): { length: number; numNulls: number };
  /** The next buffer. */
  buffer(fail: Fail): Uint8Array;
  dictionary(id: number): Vector | undefined;
}

/** The values of a field in a batch. Calls `fail` for buffers that do not hold them, before one of them is read. */
export function readVector(field: ArrowField, parts: BatchParts, failBatch: Fail): Vector {
  const fail: Fail = (problem) => failBatch(`column ${field.path} ${problem}`);
  const { length, numNulls } = parts.node(fail);
  if (field.type.kind === "null" && field.dictionary === undefined) return { length, at: () => null };
  const validity = parts.buffer(fail);
  const isValid = validityOf(validity, length, numNulls, fail);
  const values =
    field.dictionary === undefined
      ? valuesOf(field, length, parts, fail)
      : dictionaryValues(field.dictionary, length, isValid, parts, fail);
  return { length, at: isValid === undefined ? values : (index) => (isValid(index) ? values(index) : null) };
}

type Values = (index: number) => unknown;

function validityOf(bits: Uint8Array, length: number, numNulls: number, fail: Fail): ((index: number) => boolean) | undefined {
  if (numNulls > length) fail(`has ${numNulls} nulls in ${length} values`);
  if (bits.length === 0) return numNulls === 0 ? undefined : fail("does not say which of its values are null");
  if (bits.length < length / 8) fail(`says of ${bits.length * 8} of ${length} values whether they are null`);
  return (index) => ((bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

function valuesOf(field: ArrowField, length: number, parts: BatchParts, fail: Fail): Values {
  const { type } = field;
  switch (type.kind) {
    case "null":
      return () => null;
    case "bool": {
      const bits = parts.buffer(fail);
      if (bits.length < length / 8) fail(`has ${bits.length} bytes for ${length} booleans`);
      return (index) => ((bits[index >> 3]! >> (index & 7)) & 1) === 1;
    }
    case "struct":
      return structValues(field, length, parts, fail);
    case "list":
    case "map":
    case "fixedList":
      return listValues(field, type, length, parts, fail);
    case "text":
    case "binary": {
      const starts = offsetsOf(parts.buffer(fail), length, type.isLarge, fail);
      const bytes = parts.buffer(fail);
      expectOffsets(starts, bytes.length, fail);
      const cell = bytesCell(field);
      return (index) => cell(bytes.subarray(Number(starts[index]!), Number(starts[index + 1]!)));
    }
    default:
      return fixedValues(field, type, length, parts.buffer(fail), fail);
  }
}

function bytesCell({ type, extension, nested }: ArrowField): Cell<Uint8Array> {
  if (type.kind !== "text") return foreignCell("binary", bytesText, nested);
  return extension === "arrow.json" ? jsonCell(nested) : textCell;
}

function structValues({ children }: ArrowField, length: number, parts: BatchParts, fail: Fail): Values {
  const names = children.map(({ name }) => name);
  const asMap = needsMap(names);
  const vectors = children.map((child) => readVector(child, parts, fail));
  if (vectors.some((vector) => vector.length < length)) fail(`has fewer values in a part than its ${length}`);
  return (index) =>
    record(
      names,
      vectors.map((vector) => vector.at(index)),
      asMap,
    );
}

function listValues(field: ArrowField, type: ArrowType, length: number, parts: BatchParts, fail: Fail): Values {
  const [child] = field.children as [ArrowField];
  if (type.kind === "fixedList") {
    const { size } = type;
    const items = readVector(child, parts, fail);
    if (items.length < length * size) fail(`has ${items.length} items for ${length} lists of ${size}`);
    return (index) => range(items, index * size, (index + 1) * size);
  }
  const starts = offsetsOf(parts.buffer(fail), length, type.kind === "list" && type.isLarge, fail);
  if (type.kind === "map") return mapValues(child, starts, parts, fail);
  const items = readVector(child, parts, fail);
  expectOffsets(starts, items.length, fail);
  return (index) => range(items, Number(starts[index]!), Number(starts[index + 1]!));
}

function mapValues(entries: ArrowField, starts: Offsets, parts: BatchParts, fail: Fail): Values {
  const { length } = parts.node(fail);
  parts.buffer(fail); // an entry of a map is never null
  const [keys, values] = entries.children.map((child) => readVector(child, parts, fail)) as [Vector, Vector];
  expectOffsets(starts, Math.min(length, keys.length, values.length), fail);
  return (index) => {
    const [start, end] = [Number(starts[index]!), Number(starts[index + 1]!)];
    return mapRecord(range(keys, start, end), range(values, start, end));
  };
}

function range(items: Vector, start: number, end: number): unknown[] {
  const values: unknown[] = [];
  for (let index = start; index < end; index++) values.push(items.at(index));
  return values;
}

type Offsets = Int32Array | BigInt64Array;

function offsetsOf(buffer: Uint8Array, length: number, isLarge: boolean, fail: Fail): Offsets {
  const bytes = (length + 1) * (isLarge ? 8 : 4);
  if (length === 0 && buffer.length < bytes) return new Int32Array(1); // writers may leave out the one offset of no values
  if (buffer.length < bytes) fail(`has ${buffer.length} bytes for the places of ${length} values`);
  const own = aligned(buffer.subarray(0, bytes), 8);
  return isLarge ? new BigInt64Array(own.buffer, own.byteOffset, length + 1) : new Int32Array(own.buffer, own.byteOffset, length + 1);
}

/** Places must ascend and end within what they point into, so that all lists together are no longer than their items. */
function expectOffsets(starts: Offsets, most: number, fail: Fail): void {
  let before: number | bigint = 0;
  for (const start of starts) {
    if (start < before) fail(`has values that begin at ${start}, after one that begins at ${before}`);
    before = start;
  }
  if (before > most) fail(`has values up to ${before}, where there are ${most}`);
}

/** The bytes at an address that is a multiple of `size`, copied where they are at another. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

function dictionaryValues(
  dictionary: NonNullable<ArrowField["dictionary"]>,
  length: number,
  isValid: ((index: number) => boolean) | undefined,
  parts: BatchParts,
  fail: Fail,
): Values {
  const indices = integers(dictionary.index, length, parts.buffer(fail), fail);
  const values = parts.dictionary(dictionary.id) ?? fail("has no dictionary");
  for (let index = 0; index < length; index++) {
    const place = Number(indices[index]!);
    if (isValid?.(index) !== false && !(place >= 0 && place < values.length))
      fail(`has the entry ${place} of a dictionary of ${values.length}`);
  }
  return (index) => values.at(Number(indices[index]!));
}

type Integers = Int8Array | Int16Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

function integers({ bits, isSigned }: { bits: number; isSigned: boolean }, length: number, buffer: Uint8Array, fail: Fail): Integers {
  const own = fixedBytes(buffer, length, bits / 8, fail);
  const kinds = isSigned
    ? { 8: Int8Array, 16: Int16Array, 32: Int32Array, 64: BigInt64Array }
    : { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array, 64: BigUint64Array };
  return new kinds[bits as 8 | 16 | 32 | 64](own.buffer, own.byteOffset, length);
}

/** The bytes of `length` values of `width` bytes each. */
function fixedBytes(buffer: Uint8Array, length: number, width: number, fail: Fail): Uint8Array<ArrayBuffer> {
  if (buffer.length < length * width) fail(`has ${buffer.length} bytes for ${length} values of ${width}`);
  return aligned(buffer.subarray(0, length * width), 8) as Uint8Array<ArrayBuffer>;
}

function fixedValues({ nested }: ArrowField, type: ArrowType, length: number, buffer: Uint8Array, fail: Fail): Values {
  const big = (): Values => {
    const values = integers({ bits: 64, isSigned: true }, length, buffer, fail) as BigInt64Array;
    return (index) => values[index];
  };
  const small = (): Values => {
    const values = integers({ bits: 32, isSigned: true }, length, buffer, fail) as Int32Array;
    return (index) => values[index];
  };
  switch (type.kind) {
    case "int": {
      const values = integers(type, length, buffer, fail);
      return type.bits === 64 ? (index) => integerCell(values[index] as bigint) : (index) => values[index];
    }
    case "float":
      return floatValues(type.bits, nested, length, buffer, fail);
    case "fixed": {
      const bytes = fixedBytes(buffer, length, type.width, fail);
      const cell = foreignCell(`fixed_size_binary[${type.width}]`, bytesText, nested);
      return (index) => cell(bytes.subarray(index * type.width, (index + 1) * type.width));
    }
    case "decimal": {
      const width = type.bits / 8;
      const bytes = fixedBytes(buffer, length, width, fail);
      const text = (raw: Uint8Array): string => decimalText(signedInteger(raw), type.scale);
      const cell = foreignCell(`decimal${type.bits}(${type.precision}, ${type.scale})`, text, nested);
      return (index) => cell(bytes.subarray(index * width, (index + 1) * width));
    }
    case "date": {
      if (type.unit === "day") return mapped(small(), foreignCell("date32", dateText, nested));
      return mapped(
        big(),
        foreignCell("date64", (raw: bigint) => dateText(Math.floor(Number(raw) / 86_400_000)), nested),
      );
    }
    case "time": {
      const text = (raw: number | bigint): string => timeText(BigInt(raw), type.unit);
      return mapped(type.bits === 64 ? big() : small(), foreignCell(`time${type.bits}[${type.unit}]`, text, nested));
    }
    case "timestamp": {
      const name = `timestamp[${type.unit}${type.zone === undefined ? "" : `, tz=${type.zone}`}]`;
      return mapped(
        big(),
        foreignCell(name, (raw: bigint) => timestampText(raw, type.unit, type.zone), nested),
      );
    }
    case "duration":
      return mapped(
        big(),
        foreignCell(`duration[${type.unit}]`, (raw: bigint) => durationText(raw, type.unit), nested),
      );
    default:
      return fail(`is of the unknown type ${type.kind}`);
  }
}

function mapped<Raw>(values: Values, cell: Cell<Raw>): Values {
  return (index) => cell(values(index) as Raw);
}

function floatValues(bits: number, nested: boolean, length: number, buffer: Uint8Array, fail: Fail): Values {
  const cell = floatCell(nested);
  const own = fixedBytes(buffer, length, bits / 8, fail);
  if (bits === 16) {
    const halves = new Uint16Array(own.buffer, own.byteOffset, length);
    return (index) => cell(halfFloat(halves[index]!));
  }
  const values = bits === 32 ? new Float32Array(own.buffer, own.byteOffset, length) : new Float64Array(own.buffer, own.byteOffset, length);
  return (index) => cell(values[index]!);
}
