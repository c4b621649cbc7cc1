import { excerpt, FormatError, isFloat, JsonReader, type ByteSource, type JsonPlace } from "@kto/core";
import { recordBlocks, type RecordBlock } from "./bytes/record-blocks.js";
import { openStore } from "./bytes/open-store.js";
import type { RecordStore } from "./bytes/record-store.js";
import { KeptIndex } from "./bytes/row-index.js";
import { decodeUtf8, utf8Pieces } from "./bytes/utf8.js";
import { Dataset, type DataRow } from "./dataset.js";
import { isBlank } from "./json/document-cutter.js";
import { JsonCutter } from "./json/record-cutter.js";
import { NumberTypes, type NumberTypesState } from "./json/number-types.js";
import { refuseWrappedRows } from "./json/wrapped-rows.js";
import { isObject, setColumn } from "./data-row.js";
import { expectRows, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";

/**
 * Rows of JSON, whichever way the file holds them: an object on each line (JSON Lines; blank lines are passed over), objects over several lines one after
 * another, or one array of objects. Compressed files are inflated.
 *
 * Nothing that Python would read is lost (see `parseJson` of core): below a column a float that is whole is a `Float`, an integer past 2^53 a bigint, an
 * object whose keys JavaScript would reorder a `Map`; NaN and the infinities are read. Numbers of a column are of one type where they are for trl (see
 * {@link NumberTypes}). Rows are made from the file's bytes each time they are asked for.
 *
 * Throws `FormatError` with the line for what is no JSON object, or for one object that holds rows; `DataFileError` when there is no row.
 */
export async function readJson(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  return readTypedJson(toByteSource(source), options, new NumberTypes());
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A larger block holds a long row, which is read by itself: what is wrong with it is then met once. */
const MAX_SHARED_BYTES = 2 ** 20;

/** As {@link readJson}, with types that the rows of several files share; `contents` sums up all bytes of the source, once they are read. */
export async function readTypedJson(
  bytes: ByteSource,
  options: ReadOptions,
  types: NumberTypes,
  contents?: () => string | undefined,
): Promise<Dataset> {
  const limit = rowLimit("readJson", options.maxRows);
  const store = await openStore(bytes, options);
  const { rowIndex } = options;
  const kept = rowIndex && contents && store.isLasting && limit === Infinity ? new KeptIndex(rowIndex, bytes, contents) : undefined;
  const known = await kept?.open(options);
  let columnNames: string[];
  if (known) {
    store.addIndexed(known.index);
    types.learn(known.facts.types as NumberTypesState);
    ({ columnNames } = known.facts);
  } else {
    const own = kept ? new NumberTypes() : types; // an index has those of its file alone
    columnNames = await findRows(bytes, { ...options, limit }, store, own);
    if (kept) {
      const learnt = own.state();
      types.learn(learnt);
      await kept.keep({ facts: { columnNames, types: learnt }, index: store.index() });
    }
  }
  const at = (index: number): DataRow | undefined =>
    index < store.length ? types.apply(rowOf(new JsonReader(decoder.decode(store.at(index))).value() as DataRow)) : undefined;
  return Dataset.from({ length: store.length, columnNames, at });
}

/** Goes through a text for its rows, which are put into the store, and learns their types. Gives the names of their columns. */
async function findRows(
  bytes: ByteSource,
  { limit, ...options }: ReadOptions & { limit: number },
  store: RecordStore,
  types: NumberTypes,
): Promise<string[]> {
  const { name = "data", onProgress, signal } = options;
  const cutter = new JsonCutter();
  const columnNames = new Set<string>();
  let onlyRow: DataRow | undefined;
  for await (const block of recordBlocks("readJson", utf8Pieces(bytes, name, signal), cutter, name)) {
    const starts: number[] = [];
    for (const { row, start } of rowsOf(block, name, cutter.isLines, store.length, types)) {
      if (store.length + starts.length === limit) break;
      types.add(row);
      for (const column in row) columnNames.add(column);
      onlyRow = starts.push(start) === 1 && store.length === 0 ? row : undefined;
    }
    store.add(block.bytes, { starts, end: block.ends.at(-1) ?? 0, offset: block.offset });
    onProgress?.({ loadedBytes: block.loadedBytes, totalBytes: bytes.byteLength, rows: store.length });
    if (store.length === limit) break;
    if (block.failure) {
      const { problem, line } = block.failure;
      throw new FormatError(`readJson: line ${line} of ${name}: ${problem}; expected [{…}, …], one array; mend the file`, {
        source: name,
        line,
      });
    }
  }
  expectRows("readJson", store.length, name);
  if (store.length === 1 && onlyRow) refuseWrappedRows(onlyRow, name);
  return [...columnNames];
}

/** A row as it is read, and where it begins in its block. */
interface ReadRow {
  row: DataRow;
  start: number;
}

/** The rows of a block; `before` rows stand in earlier ones. */
function* rowsOf(block: RecordBlock, name: string, isLines: boolean, before: number, types: NumberTypes): Generator<ReadRow> {
  const { bytes, starts, ends, lines, columns, offset } = block;
  const readAscii = asciiReader(bytes, types);
  for (const [index, start] of starts.entries()) {
    const end = ends[index]!;
    const value = readAscii?.(start, end);
    if (isObject(value)) {
      yield { row: rowOf(value), start };
      continue;
    }
    const line = lines[index]!;
    const text = decodeUtf8(bytes.subarray(start, end), () => ({ name, offset: offset + start, line }));
    types.noteWords(text);
    const advice = isLines ? "mend or remove that line" : `mend row ${before + index} (counted from 0), which begins on line ${line}`;
    const place: JsonPlace = { operation: "readJson", source: name, line, column: columns?.[index], advice };
    const reader = new JsonReader(text, place);
    yield { row: checkedRow(reader.value(), place), start };
    if (!isLines) reader.expectEnd();
    while (!reader.isAtEnd()) {
      const read = new TextEncoder().encode(text.slice(0, reader.position)).byteLength;
      yield { row: checkedRow(reader.value(), place), start: start + read };
    }
  }
}

/** Reads values of a block that is ASCII, so that a byte is a letter, without decoding each anew; gives undefined for all but exactly one value of JSON. */
function asciiReader(bytes: Uint8Array, types: NumberTypes): ((start: number, end: number) => unknown) | undefined {
  if (bytes.byteLength > MAX_SHARED_BYTES) return undefined;
  const text = decoder.decode(bytes);
  if (text.length !== bytes.byteLength) return undefined;
  types.noteWords(text);
  const reader = new JsonReader(text);
  return (start, end) => {
    try {
      const value = reader.valueAt(start);
      let position = reader.position;
      while (position < end && isBlank(text.charCodeAt(position))) position++;
      return position === end ? value : undefined;
    } catch {
      return undefined; // read once more by itself, it says what is wrong
    }
  };
}

function checkedRow(value: unknown, { source, line, advice }: JsonPlace): DataRow {
  if (isObject(value)) return rowOf(value);
  throw new FormatError(
    `readJson: line ${line} of ${source} is not an object; expected {"column": value, …} for each row, got ${excerpt(value)}; ${advice}`,
    { source: source!, line: line! },
  );
}

/** A row of the file: always a plain object, and its numbers plain, for the order of columns and the spelling of a column's own numbers say nothing. */
function rowOf(value: DataRow | Map<string, unknown>): DataRow {
  const row = value instanceof Map ? fieldsOf(value) : value;
  for (const name in row) {
    const item = row[name];
    if (isFloat(item)) row[name] = item.valueOf();
  }
  return row;
}

function fieldsOf(map: ReadonlyMap<string, unknown>): DataRow {
  const row: DataRow = {};
  for (const [name, value] of map) setColumn(row, name, value);
  return row;
}
