import { FormatError } from "@kto/core";
import { CsvParser, type CsvRecord } from "./csv-records.js";
import { Dataset, type DataRow } from "./dataset.js";
import { expectRows, readText, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";

/** Options of {@link readCsv}. */
export interface CsvOptions extends ReadOptions {
  /** One character between cells; default `","`. */
  separator?: string;
  /** Columns that stay text whatever their cells look like; default `prompt`, `completion`, `chosen`, `rejected`, `text`. */
  textColumns?: readonly string[];
}

const TEXT_COLUMNS = ["prompt", "completion", "chosen", "rejected", "text"];

/**
 * Rows of a CSV file whose first line names the columns.
 *
 * A column whose cells are all true/false (any capitals) becomes booleans, one whose cells are all plain numbers becomes numbers; an empty cell there is null.
 * Other columns and `textColumns` stay text. Throws `FormatError` naming the line for a wrong number of cells or a broken quote, `DataFileError` when there is no row.
 */
export async function readCsv(source: DataSource, options: CsvOptions = {}): Promise<Dataset> {
  const { name = "data", separator = ",", textColumns = TEXT_COLUMNS, onProgress, signal } = options;
  const limit = rowLimit("readCsv", options.maxRows);
  const bytes = toByteSource(source);
  const parser = new CsvParser(name, separator);
  const records: CsvRecord[] = [];
  for await (const { text, loadedBytes } of readText(bytes, name, signal)) {
    for (const record of parser.push(text)) records.push(record);
    onProgress?.({ loadedBytes, totalBytes: bytes.byteLength, rows: Math.max(records.length - 1, 0) });
  }
  records.push(...parser.finish());
  const [header, ...body] = records;
  expectRows("readCsv", body.length, name);
  const dataset = Dataset.from(toRows(checkedHeader(header!, name), body, textColumns, name));
  return limit < dataset.length ? dataset.take(limit) : dataset;
}

function checkedHeader({ cells, line }: CsvRecord, name: string): string[] {
  const columns = cells.map((cell) => cell.trim());
  const wrong = columns.find((column, index) => column === "" || columns.indexOf(column) !== index);
  if (wrong !== undefined) {
    throw new FormatError(
      `readCsv: the header of ${name} has an empty or repeated name; expected distinct column names, got ${JSON.stringify(columns)}; mend line ${line}`,
      {
        source: name,
        line,
      },
    );
  }
  return columns;
}

function toRows(columns: string[], body: CsvRecord[], textColumns: readonly string[], name: string): DataRow[] {
  for (const { cells, line } of body) {
    if (cells.length !== columns.length) {
      throw new FormatError(
        `readCsv: line ${line} of ${name} has another number of cells than the header; expected ${columns.length} (${columns.join(", ")}), got ${cells.length}; quote cells that hold a separator`,
        { source: name, line },
      );
    }
  }
  const readers = columns.map((column, index) => (textColumns.includes(column) ? asText : readerFor(body, index)));
  return body.map(({ cells }) => Object.fromEntries(columns.map((column, index) => [column, readers[index]!(cells[index]!)])));
}

type CellReader = (cell: string) => string | number | boolean | null;

const asText: CellReader = (cell) => cell;
const asBoolean: CellReader = (cell) => (cell === "" ? null : cell.toLowerCase() === "true");
const asNumber: CellReader = (cell) => (cell === "" ? null : Number(cell));

/** How the cells of a column are read: as what all its non-empty cells are. */
function readerFor(body: CsvRecord[], index: number): CellReader {
  const cells = body.map((record) => record.cells[index]!).filter((cell) => cell !== "");
  if (cells.length === 0) return asText;
  if (cells.every((cell) => /^(true|false)$/i.test(cell))) return asBoolean;
  if (cells.every((cell) => /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(cell))) return asNumber;
  return asText;
}
