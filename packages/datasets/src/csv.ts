import { ArgumentError, excerpt, FormatError, shorten } from "@kto/core";
import { recordBlocks, type RecordBlock } from "./bytes/record-blocks.js";
import { openStore } from "./bytes/open-store.js";
import type { RecordStore } from "./bytes/record-store.js";
import { decodeUtf8, headText, utf8Pieces } from "./bytes/utf8.js";
import { cellsOf } from "./csv/cells.js";
import { asText, ColumnType } from "./csv/column-types.js";
import { CsvCutter, type CsvCut } from "./csv/csv-cutter.js";
import { columnNamesOf, declaredSeparator, layoutOf } from "./csv/header.js";
import { setColumn } from "./data-row.js";
import { Dataset, type DataRow, type RowSource } from "./dataset.js";
import { textColumns as layoutTexts } from "./layouts/layout.js";
import { expectRows, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";

/** Options of {@link readCsv}. */
export interface CsvOptions extends ReadOptions {
  /** One ASCII character between cells; by default the one of `,` tab `;` `|` that the first line shows, where that is open the comma. */
  separator?: string;
  /** Columns that stay text whatever their cells look like; default: those that hold text in some layout of rows. */
  textColumns?: readonly string[];
}

/**
 * Rows of a CSV file whose first line names the columns; a line `sep=;` may stand above. Compressed files are inflated.
 *
 * As for pandas, a column without a name is `Unnamed: 0`, a repeated name gets `.1`, a row with fewer cells than the header has null in the others. A column
 * whose cells are all true/false (any capitals) becomes booleans, one whose cells are all numbers becomes numbers (integers past 2^53 bigints); an empty or
 * missing cell (`NA`, `null`, `nan`, …) there is null. Other columns and `textColumns` stay text, an empty cell the empty text. Rows are made from the
 * file's bytes each time they are asked for.
 *
 * Throws `FormatError` naming the line for more cells than the header has (unless all of those are empty) or a broken quote, `DataFileError` when there is no row.
 */
export function readCsv(source: DataSource, options: CsvOptions = {}): Promise<Dataset> {
  return readTable(source, options, ",");
}

/** As {@link readCsv}, with the separator that is taken where the first line leaves it open. */
export async function readTable(source: DataSource, options: CsvOptions, usual: string): Promise<Dataset> {
  const { name = "data", textColumns = layoutTexts, onProgress, signal } = options;
  const limit = rowLimit("readCsv", options.maxRows);
  const bytes = toByteSource(source);
  const { separator, skipped } = layout(await headText(bytes, name, signal), options.separator, usual);
  const cutter = new CsvCutter(separator, (line, what, expected, got) => {
    throw new FormatError(`readCsv: line ${line} of ${name}: ${what}; expected ${expected}, got ${got}; mend that line`, {
      source: name,
      line,
    });
  });
  const table = new Table(await openStore(bytes, options), { separator, textColumns, name, skipped });
  for await (const block of recordBlocks("readCsv", utf8Pieces(bytes, name, signal), cutter, name)) {
    table.add(block as RecordBlock & CsvCut);
    onProgress?.({ loadedBytes: block.loadedBytes, totalBytes: bytes.byteLength, rows: table.length });
  }
  expectRows("readCsv", table.length, name);
  const dataset = Dataset.from(table.rows());
  return limit < dataset.length ? dataset.take(limit) : dataset;
}

/** What separates cells, and how many records stand above the header. Throws ArgumentError for a separator that is none. */
function layout(head: string, separator: string | undefined, usual: string): { separator: string; skipped: number } {
  if (separator !== undefined && !/^[\x01-\x7f]$/.test(separator)) {
    throw new ArgumentError(`readCsv: the separator is not one; expected one ASCII character, got ${excerpt(separator)}; pass e.g. ";"`);
  }
  const declared = declaredSeparator(head);
  if (declared !== undefined) return { separator: separator ?? declared, skipped: 1 };
  return { separator: separator ?? layoutOf(head.replace(/^\s+/, ""), usual).separator, skipped: 0 };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The rows of a CSV file. */
class Table {
  readonly #store: RecordStore;
  readonly #separator: string;
  readonly #textColumns: readonly string[];
  readonly #name: string;
  #skipped: number;
  #columns: readonly string[] = [];
  #types: (ColumnType | undefined)[] = [];
  /** The columns whose type is not yet known. */
  #open: number[] = [];

  constructor(
    store: RecordStore,
    { separator, textColumns, name, skipped }: { separator: string; textColumns: readonly string[]; name: string; skipped: number },
  ) {
    this.#store = store;
    this.#separator = separator;
    this.#textColumns = textColumns;
    this.#name = name;
    this.#skipped = skipped;
  }

  get length(): number {
    return this.#store.length;
  }

  /** The rows, once all are added. */
  rows(): RowSource<DataRow> {
    const store = this.#store;
    const separator = this.#separator;
    const readers = this.#columns.map((name, column) => ({ name, read: this.#types[column]?.reader ?? asText }));
    const at = (index: number): DataRow | undefined => {
      if (index >= store.length) return undefined;
      const cells = cellsOf(decoder.decode(store.at(index)), 0, separator);
      const row: DataRow = {};
      readers.forEach(({ name, read }, column) => {
        const cell = cells[column];
        const value = cell === undefined ? null : read(cell);
        setColumn(row, name, value);
      });
      return row;
    };
    return { length: store.length, columnNames: this.#columns, at };
  }

  /** Adds the records of a block; the first of all is the header. */
  add({ bytes, starts, ends, lines, cells: counts, offset }: RecordBlock & CsvCut): void {
    const text = decodeUtf8(bytes.subarray(0, ends.at(-1) ?? 0), () => ({ name: this.#name, offset, line: lines[0] ?? 1 }));
    const isAscii = text.length === (ends.at(-1) ?? 0); // bytes are letters
    const cellsAt = (index: number): string[] =>
      isAscii
        ? cellsOf(text, starts[index]!, this.#separator)
        : cellsOf(decoder.decode(bytes.subarray(starts[index], ends[index])), 0, this.#separator);
    let first = Math.min(this.#skipped, starts.length);
    this.#skipped -= first;
    if (this.#columns.length === 0 && first < starts.length) this.#begin(cellsAt(first++));
    for (let index = first; index < starts.length; index++) {
      if (counts[index]! > this.#columns.length) this.#expectEmpty(cellsAt(index), lines[index]!);
      if (this.#open.length > 0) this.#learn(cellsAt(index));
    }
    this.#store.add(bytes, { starts: starts.slice(first), end: ends.at(-1) ?? 0, offset });
  }

  #begin(header: string[]): void {
    this.#columns = columnNamesOf(header);
    this.#types = this.#columns.map((column) => (this.#textColumns.includes(column) ? undefined : new ColumnType()));
    this.#open = this.#types.flatMap((type, column) => (type ? [column] : []));
  }

  #learn(cells: string[]): void {
    let closed = 0;
    for (const column of this.#open) {
      const cell = cells[column];
      if (cell === undefined) continue;
      this.#types[column]!.add(cell);
      if (this.#types[column]!.isText) closed++;
    }
    if (closed > 0) this.#open = this.#open.filter((column) => !this.#types[column]!.isText);
  }

  /** Cells beyond the header are passed over when nothing is in them, as after a comma at the end of each line. */
  #expectEmpty(cells: string[], line: number): void {
    if (cells.slice(this.#columns.length).every((cell) => cell === "")) return;
    const columns = shorten(this.#columns.join(", "));
    throw new FormatError(
      `readCsv: line ${line} of ${this.#name} has more cells than the header; expected ${this.#columns.length} (${columns}), got ${cells.length}; quote cells that hold the separator ${JSON.stringify(this.#separator)}`,
      { source: this.#name, line },
    );
  }
}
