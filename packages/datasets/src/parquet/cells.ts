import { type Cell, floatCell, foreignCell, halfFloat, integerCell, jsonCell, signedInteger, textCell } from "../tables/cells.js";
import { bytesText, dateText, decimalText, type TimeUnit, timestampText, timeText, uuidText } from "../tables/python-text.js";
import type { Fail } from "./damage.js";
import type { SchemaElement } from "./schema.js";

/** Physical types: what is stored. */
export const PHYSICAL = { boolean: 0, int32: 1, int64: 2, int96: 3, float: 4, double: 5, bytes: 6, fixed: 7 } as const;

const CONVERTED = {
  utf8: 0,
  enum: 4,
  decimal: 5,
  date: 6,
  timeMillis: 7,
  timeMicros: 8,
  timestampMillis: 9,
  timestampMicros: 10,
  uint32: 13,
  uint64: 14,
  json: 19,
} as const;
const LOGICAL = { string: 1, enum: 4, decimal: 5, date: 6, time: 7, timestamp: 8, integer: 10, json: 12, uuid: 14, float16: 15 } as const;

/** The longest decimal that Arrow knows has 256 bits. */
const MAX_DECIMAL_BYTES = 32;

const EPOCH_JULIAN_DAY = 2_440_588n;
const NANOSECONDS_PER_DAY = 86_400_000_000_000n;

/** How values of a leaf become those of a row. Calls `fail` where its types contradict each other. */
export function parquetCell(element: SchemaElement, nested: boolean, fail: Fail): Cell<never> {
  const { physicalType, typeLength } = element;
  if (physicalType === PHYSICAL.fixed && (typeLength < 1 || typeLength > 2 ** 20)) fail(`has values of ${typeLength} bytes each`);
  return logicalCell(element, nested, fail) ?? physicalCell(physicalType!, nested, fail);
}

function physicalCell(type: number, nested: boolean, fail: Fail): Cell<never> {
  switch (type) {
    case PHYSICAL.boolean:
    case PHYSICAL.int32:
      return (raw) => raw;
    case PHYSICAL.int64:
      return integerCell;
    case PHYSICAL.int96:
      return foreignCell("timestamp[ns]", int96Text, nested);
    case PHYSICAL.float:
    case PHYSICAL.double:
      return floatCell(nested);
    case PHYSICAL.bytes:
    case PHYSICAL.fixed:
      return foreignCell("binary", bytesText, nested);
  }
  return fail(`is of the unknown type ${type}`);
}

/** The cell of a type that says more than what is stored; undefined where it says nothing. */
function logicalCell(element: SchemaElement, nested: boolean, fail: Fail): Cell<never> | undefined {
  const { physicalType, convertedType: converted, logical } = element;
  const kind = logical?.kind;
  if (physicalType === PHYSICAL.bytes) {
    if (kind === LOGICAL.json || converted === CONVERTED.json) return jsonCell(nested);
    if (kind === LOGICAL.string || kind === LOGICAL.enum || converted === CONVERTED.utf8 || converted === CONVERTED.enum) return textCell;
  }
  if (kind === LOGICAL.decimal || converted === CONVERTED.decimal) return decimalCell(element, nested, fail);
  if (physicalType === PHYSICAL.fixed) {
    if (kind === LOGICAL.float16 && element.typeLength === 2) return toFloat(floatCell(nested));
    if (kind === LOGICAL.uuid && element.typeLength === 16) return foreignCell("uuid", uuidText, nested);
  }
  if (physicalType === PHYSICAL.int32) {
    if (converted === CONVERTED.uint32 || (kind === LOGICAL.integer && logical?.isSigned === false)) return (raw: number) => raw >>> 0;
    if (kind === LOGICAL.date || converted === CONVERTED.date) return foreignCell("date32", dateText, nested);
    if (kind === LOGICAL.time || converted === CONVERTED.timeMillis)
      return foreignCell("time32[ms]", (raw: number) => timeText(BigInt(raw), "ms"), nested);
  }
  if (physicalType === PHYSICAL.int64) {
    if (converted === CONVERTED.uint64 || (kind === LOGICAL.integer && logical?.isSigned === false))
      return (raw: bigint) => integerCell(BigInt.asUintN(64, raw));
    return timeCell(element, nested);
  }
  return undefined;
}

function timeCell({ convertedType: converted, logical }: SchemaElement, nested: boolean): Cell<never> | undefined {
  if (logical?.kind === LOGICAL.time || converted === CONVERTED.timeMicros) {
    const unit = logical?.unit ?? "us";
    return foreignCell(`time64[${unit}]`, (raw: bigint) => timeText(raw, unit), nested);
  }
  const byConverted: TimeUnit | undefined =
    converted === CONVERTED.timestampMillis ? "ms" : converted === CONVERTED.timestampMicros ? "us" : undefined;
  if (logical?.kind !== LOGICAL.timestamp && byConverted === undefined) return undefined;
  const unit = logical?.unit ?? byConverted ?? "us";
  // Without a logical type, as before Parquet 2.4, a timestamp is of UTC.
  const zone = logical === undefined || logical.isUtc === true ? "UTC" : undefined;
  return foreignCell(`timestamp[${unit}${zone === undefined ? "" : ", tz=UTC"}]`, (raw: bigint) => timestampText(raw, unit, zone), nested);
}

function decimalCell({ physicalType, typeLength, logical, ...element }: SchemaElement, nested: boolean, fail: Fail): Cell<never> {
  const scale = logical?.scale ?? element.scale;
  const type = `decimal128(${logical?.precision ?? element.precision}, ${scale})`;
  if (Math.abs(scale) > 76 || typeLength > MAX_DECIMAL_BYTES)
    fail(`is a decimal with ${scale} digits after the point in ${typeLength} bytes`);
  if (physicalType === PHYSICAL.int32 || physicalType === PHYSICAL.int64)
    return foreignCell(type, (raw: number | bigint) => decimalText(BigInt(raw), scale), nested);
  if (physicalType !== PHYSICAL.bytes && physicalType !== PHYSICAL.fixed) fail(`is a decimal of type ${physicalType}`);
  return foreignCell(
    type,
    (raw: Uint8Array) => {
      if (raw.length > MAX_DECIMAL_BYTES) fail(`holds a decimal of ${raw.length} bytes`);
      return decimalText(raw.length === 0 ? 0n : signedInteger(raw.toReversed()), scale);
    },
    nested,
  );
}

function toFloat(cell: Cell<number>): Cell<Uint8Array> {
  return (raw) => cell(halfFloat(raw[0]! | (raw[1]! << 8)));
}

/** Days after the Julian epoch, and nanoseconds of the day before them. */
function int96Text(raw: Uint8Array): string {
  const view = new DataView(raw.buffer, raw.byteOffset, 12);
  const days = BigInt(view.getInt32(8, true)) - EPOCH_JULIAN_DAY;
  return timestampText(days * NANOSECONDS_PER_DAY + view.getBigInt64(0, true), "ns");
}
