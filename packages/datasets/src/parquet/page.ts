import { textCell } from "../tables/cells.js";
import type { Unpack } from "./codecs.js";
import type { Fail } from "./damage.js";
import { bitsOf, unpackHybrid } from "./levels.js";
import { ENCODING, PAGE, type PageHeader } from "./page-header.js";
import { decodeValues, type PageValues } from "./page-values.js";
import type { Leaf } from "./schema.js";

/** A page as it lies in the file. */
export interface PackedPage {
  readonly header: PageHeader;
  readonly body: Uint8Array;
}

/** A page of a column, decoded: an entry for each value, null and empty list, and the values that are not null. */
export interface DecodedPage {
  readonly numEntries: number;
  /** How much of the path of an entry is there; undefined where every entry is a value. */
  readonly definitions: Uint8Array | undefined;
  /** At which list an entry goes on, 0 at the beginning of a row; undefined in a column without lists. */
  readonly repetitions: Uint8Array | undefined;
  /** Rows that begin in the page. */
  readonly numRows: number;
  /** The entry at which each of them begins; undefined where that is the row itself. */
  readonly rowEntries: Uint32Array | undefined;
  /** The value at which each of them begins; undefined where that is the entry. */
  readonly rowValues: Uint32Array | undefined;
  /** A value as rows have it. */
  valueAt(index: number): unknown;
  readonly values: PageValues;
  readonly byteLength: number;
}

/** What a page of a column is decoded with. */
export interface PageContext {
  readonly leaf: Leaf;
  readonly unpack: Unpack;
  /** The column's dictionary, with texts that are made once. */
  readonly dictionary: PageValues | undefined;
  readonly fail: Fail;
}

/** The values of a dictionary page. Texts become strings once, however many rows have them. */
export function decodeDictionary({ header, body }: PackedPage, { leaf, unpack, fail }: PageContext): DecodedPage {
  const bytes = ownBytes(unpack(body, header.unpackedSize));
  const raw = decodeValues(bytes, ENCODING.plain, header.numValues, leaf, undefined, fail);
  return { ...levelless(raw.length), values: memoized(raw, leaf), valueAt: () => undefined, byteLength: 2 * raw.byteLength };
}

/** A data page. Calls `fail` where its levels or values are not what the header says. */
export function decodePage(page: PackedPage, context: PageContext): DecodedPage {
  const { leaf, dictionary, fail } = context;
  const { header } = page;
  const { repetitions, definitions, valueBytes } = header.kind === PAGE.dataV2 ? levelsV2(page, context) : levelsV1(page, context);
  const numValues = definitions === undefined ? header.numValues : countOf(definitions, leaf.maxDefinition);
  const values = decodeValues(ownBytes(valueBytes), header.encoding, numValues, leaf, dictionary, fail);
  const hasNulls = numValues < header.numValues;
  const rows = rowStarts(header.numValues, hasNulls ? definitions : undefined, repetitions, leaf.maxDefinition);
  const fromDictionary = header.encoding === ENCODING.dictionary || header.encoding === ENCODING.plainDictionary;
  const cell = leaf.cell as (raw: unknown) => unknown;
  return {
    numEntries: header.numValues,
    definitions: hasNulls ? definitions : undefined,
    repetitions,
    ...rows,
    values,
    valueAt: fromDictionary && isMemoized(leaf) ? values.at : (index) => cell(values.at(index)),
    byteLength: values.byteLength + sizeOf(definitions) + sizeOf(repetitions) + sizeOf(rows.rowEntries) + sizeOf(rows.rowValues),
  };
}

interface Levels {
  repetitions: Uint8Array | undefined;
  definitions: Uint8Array | undefined;
  valueBytes: Uint8Array;
}

/** Levels and values are packed together, each kind of level behind its length. */
function levelsV1({ header, body }: PackedPage, { leaf, unpack, fail }: PageContext): Levels {
  const bytes = unpack(body, header.unpackedSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  const next = (largest: number, what: string): Uint8Array | undefined => {
    if (largest === 0) return undefined;
    if (header.levelEncoding !== ENCODING.rle) fail(`its levels have the encoding ${header.levelEncoding}, which Parquet gave up in 2013`);
    const length = offset + 4 <= bytes.length ? view.getUint32(offset, true) : fail(`its ${what} levels are missing`);
    if (length > bytes.length - offset - 4) fail(`its ${what} levels go past its end`);
    const levels = unpackLevels(bytes, offset + 4, offset + 4 + length, largest, header.numValues, what, fail);
    offset += 4 + length;
    return levels;
  };
  const repetitions = next(leaf.maxRepetition, "repetition");
  const definitions = next(leaf.maxDefinition, "definition");
  return { repetitions, definitions, valueBytes: bytes.subarray(offset) };
}

/** Levels lie before the values, and only the values are packed. */
function levelsV2({ header, body }: PackedPage, { leaf, unpack, fail }: PageContext): Levels {
  const { repetitionBytes, definitionBytes, numValues, unpackedSize, isPacked } = header;
  const levelBytes = repetitionBytes + definitionBytes;
  const { maxRepetition, maxDefinition } = leaf;
  const repetitions =
    maxRepetition === 0 ? undefined : unpackLevels(body, 0, repetitionBytes, maxRepetition, numValues, "repetition", fail);
  const definitions =
    maxDefinition === 0 ? undefined : unpackLevels(body, repetitionBytes, levelBytes, maxDefinition, numValues, "definition", fail);
  const packed = body.subarray(levelBytes);
  const size = unpackedSize - levelBytes;
  return { repetitions, definitions, valueBytes: isPacked && packed.length > 0 ? unpack(packed, size) : packed };
}

function unpackLevels(bytes: Uint8Array, start: number, end: number, largest: number, count: number, what: string, fail: Fail): Uint8Array {
  const levels = new Uint8Array(count);
  unpackHybrid(bytes, start, end, bitsOf(largest), levels, fail);
  for (const level of levels) if (level > largest) fail(`a ${what} level is ${level}, where ${largest} is the most`);
  return levels;
}

/** Where rows begin: at entries of repetition 0. */
function rowStarts(
  numEntries: number,
  definitions: Uint8Array | undefined,
  repetitions: Uint8Array | undefined,
  maxDefinition: number,
): Pick<DecodedPage, "numRows" | "rowEntries" | "rowValues"> {
  const numRows = repetitions === undefined ? numEntries : countOf(repetitions, 0);
  if (repetitions === undefined && definitions === undefined) return { numRows, rowEntries: undefined, rowValues: undefined };
  const rowEntries = repetitions === undefined ? undefined : new Uint32Array(numRows);
  const rowValues = definitions === undefined ? undefined : new Uint32Array(numRows);
  let row = 0;
  let value = 0;
  for (let entry = 0; entry < numEntries; entry++) {
    if (repetitions === undefined || repetitions[entry] === 0) {
      if (rowEntries) rowEntries[row] = entry;
      if (rowValues) rowValues[row] = value;
      row += 1;
    }
    if (definitions === undefined || definitions[entry] === maxDefinition) value += 1;
  }
  return { numRows, rowEntries, rowValues };
}

function countOf(levels: Uint8Array, wanted: number): number {
  let count = 0;
  for (const level of levels) if (level === wanted) count += 1;
  return count;
}

function sizeOf(array: { byteLength: number } | undefined): number {
  return array?.byteLength ?? 0;
}

function levelless(length: number): Omit<DecodedPage, "values" | "valueAt" | "byteLength"> {
  return {
    numEntries: length,
    numRows: length,
    definitions: undefined,
    repetitions: undefined,
    rowEntries: undefined,
    rowValues: undefined,
  };
}

/** hyparquet reads values in place, and by the buffer and not by the view of it. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

function isMemoized({ cell }: Leaf): boolean {
  return cell === textCell;
}

function memoized(raw: PageValues, leaf: Leaf): PageValues {
  if (!isMemoized(leaf)) return raw;
  const texts: unknown[] = [];
  return { length: raw.length, byteLength: raw.byteLength, at: (index) => (texts[index] ??= textCell(raw.at(index) as Uint8Array)) };
}
