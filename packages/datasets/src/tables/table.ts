import { setColumn } from "../data-row.js";
import type { DataRow, RowSource } from "../dataset.js";

/** A column of a table: its name, and its value in a row, made when it is asked for. */
export interface TableColumn {
  readonly name: string;
  at(row: number): unknown;
}

/** Columns of one length as rows that are made when they are read, so that what is kept is what the file holds and not an object for each cell. */
export function tableRows(columns: readonly TableColumn[], length: number): RowSource<DataRow> {
  return {
    length,
    columnNames: columns.map(({ name }) => name),
    at(index) {
      if (index >= length) return undefined;
      const row: DataRow = {};
      for (const column of columns) setColumn(row, column.name, column.at(index));
      return row;
    },
  };
}
