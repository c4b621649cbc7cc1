import { excerpt, nearestName } from "@kto/core";
import type { DataRow, Dataset } from "@kto/datasets";
import { columnTargets, type RowValues } from "../config/row-fields.js";
import { ConfigError, fieldName } from "../errors.js";

/**
 * The rows with the columns that the config names under the names that are read, and without those that it leaves out. A column of the file that a named
 * one takes the place of is left out too, which is said. Throws ConfigError with every column that there is not, or that is named twice.
 */
export function withColumns(dataset: Dataset<DataRow>, values: RowValues, onNote: (note: string) => void): Dataset<DataRow> {
  const removed = [values.removeColumns ?? []].flat();
  const named = Object.entries(columnTargets).flatMap(([field, target]) => {
    const column = values[field as keyof typeof columnTargets];
    return column === null ? [] : [{ field, column, target }];
  });
  if (removed.length === 0 && named.length === 0) return dataset;
  const mistakes = [
    ...named.flatMap(({ field, column }) => missing(field, column, dataset.columnNames)),
    ...removed.flatMap((column) => missing("removeColumns", column, dataset.columnNames)),
    ...named.flatMap(({ field, column }, index) => twice(field, column, [...named.slice(0, index).map((one) => one.column), ...removed])),
  ];
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const sources = new Set(named.map(({ column }) => column));
  const displaced = named.filter(({ column, target }) => column !== target && isLeft(target));
  for (const { field, column, target } of displaced)
    onNote(`${fieldName(field)}: ${excerpt(column)} is read, and the column ${excerpt(target)} of the data is not`);
  const without = dataset.removeColumns([...removed, ...displaced.map(({ target }) => target)]);
  return without.renameColumns(Object.fromEntries(named.map(({ column, target }) => [column, target])));

  function isLeft(column: string): boolean {
    return dataset.columnNames.includes(column) && !sources.has(column) && !removed.includes(column);
  }
}

function missing(field: string, column: string, columns: readonly string[]): string[] {
  if (columns.includes(column)) return [];
  const nearest = nearestName(column, columns, 2);
  const advice = nearest === undefined ? "check its spelling" : `did you mean ${nearest}?`;
  return [`${fieldName(field)}: the data has no such column; expected one of ${excerpt(columns, 200)}, got ${excerpt(column)}; ${advice}`];
}

function twice(field: string, column: string, others: readonly string[]): string[] {
  if (!others.includes(column)) return [];
  return [`${fieldName(field)}: that column is named twice; expected a column of its own, got ${excerpt(column)}; remove one`];
}
