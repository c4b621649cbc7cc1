import { excerpt, FormatError } from "@kto/core";
import type { DataRow } from "../dataset.js";
import { isObject } from "../data-row.js";
import { ROW_COLUMNS } from "../row-columns.js";

/**
 * Throws FormatError when the only object of a file is no row but holds rows: `{"data": [{…}, …]}`, `{"train": […], "test": […]}`, the columns of a
 * table (`{"prompt": ["…", …]}`) as pandas writes it. Python's library reads such a file as one row, which is never what is meant.
 */
export function refuseWrappedRows(row: DataRow, name: string): void {
  const lists = Object.entries(row).filter(([, value]) => Array.isArray(value) && isObject(value[0]) && looksLikeRow(value[0]));
  const fail = (what: string, expected: string, advice: string): never => {
    throw new FormatError(`readJson: ${name} is one object ${what}; expected ${expected}, got ${excerpt(row)}; ${advice}`, {
      source: name,
    });
  };
  if (!looksLikeRow(row) && lists.length > 0) {
    const keys = lists
      .slice(0, 4)
      .map(([key]) => excerpt(key))
      .join(" and ");
    fail(
      `whose ${keys} hold${lists.length === 1 ? "s" : ""} the rows`,
      "the rows themselves",
      `save ${lists.length === 1 ? "that list" : "each list"} as a file of its own`,
    );
  }
  const known = Object.entries(row).filter(([key]) => ROW_COLUMNS.has(key) && !key.endsWith("_ids")); // a list of ids is one row's
  const isTable = known.length >= 2 && known.every(([, value]) => isColumn(value));
  if (isTable) fail("of columns", "an object for each row", 'write it as rows (pandas: df.to_json(path, orient="records", lines=True))');
}

function looksLikeRow(value: DataRow): boolean {
  const columns = "row" in value && isObject(value["row"]) ? value["row"] : value; // rows of the hub's viewer are {"row_idx": 0, "row": {…}}
  return Object.keys(columns).some((key) => ROW_COLUMNS.has(key));
}

/** The values of a column: a list of plain values, or pandas' object of them by index. */
function isColumn(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && typeof value[0] !== "object";
  return isObject(value) && Object.keys(value).every((key, index) => key === String(index));
}
