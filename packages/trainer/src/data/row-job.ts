import { isFloat, parseJson, stringifyJson } from "@kto/core";
import type { DataNotes, DataRow } from "@kto/datasets";
import type { ScoredRow } from "./rows.js";
import type { Tokenizer } from "./tokenizer.js";

/** What rows are tokenised with. */
export interface TokenizingOptions {
  tokenizer?: Tokenizer | undefined;
  notes?: DataNotes | undefined;
}

/** How rows become ids: the columns that are read of a row are all that it is given of it. */
export type RowTokenizer<Settings extends object = object> = (
  row: DataRow,
  index: number,
  options: TokenizingOptions & Settings,
) => ScoredRow;

/** A tokenizer of rows with its settings, and what threads know it by. */
export interface Tokenizing {
  name: string;
  /** What it is told besides rows and tokenizer; JSON. */
  settings: object;
  tokenize: RowTokenizer;
}

/** A tokenizer of rows with its settings. */
export function tokenizingWith<Settings extends object>(name: string, tokenize: RowTokenizer<Settings>, settings: Settings): Tokenizing {
  return { name, settings, tokenize: (row, index, options) => tokenize(row, index, { ...options, ...settings }) };
}

/** A row as text, for another thread: exactly what `readJob` gives back. Undefined for one that JSON has no words for. */
export function writeJob(row: DataRow): string | undefined {
  return isWritable(row) ? stringifyJson(row) : undefined;
}

/** The row of a text that `writeJob` made. */
export function readJob(text: string): DataRow {
  return parseJson(text, { operation: "readJob" }) as DataRow;
}

/** Those of these columns that a row has. */
export function pickColumns(row: DataRow, columns: readonly string[]): DataRow {
  return Object.fromEntries(columns.flatMap((column) => (row[column] === undefined ? [] : [[column, row[column]]])));
}

/** True for values that come back from their JSON as they are: no NaN, no −0, no object of a class, no keys that would be reordered. */
function isWritable(value: unknown): boolean {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return true;
  if (typeof value === "number")
    return Number.isFinite(value) && !Object.is(value, -0) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (typeof value === "bigint") return !(value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER);
  if (typeof value !== "object") return false;
  if (isFloat(value)) return Number.isInteger(value.valueOf()) && !Object.is(value.valueOf(), -0);
  if (Array.isArray(value)) return value.every(isWritable);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.entries(value).every(([key, item]) => key !== "__proto__" && !/^\d/.test(key) && isWritable(item));
}
