import { isFloat, parseJson, stringifyJson } from "@kto/core";
import type { DataNotes } from "@kto/datasets";
import type { ScoredRow } from "./rows.js";
import type { Tokenizer } from "./tokenizer.js";

/** How a row becomes ids: a function, and what it is called where it is run by others. */
export interface Tokenizing<Job> {
  /** `row` for `tokenizeRow`. */
  name: "row";
  tokenize(job: Job, index: number, options: TokenizingOptions): ScoredRow;
  /** What it is told besides rows and tokenizer; JSON. */
  settings: Readonly<Record<string, unknown>>;
}

/** What rows are tokenised with. */
export interface TokenizingOptions {
  tokenizer?: Tokenizer | undefined;
  notes?: DataNotes | undefined;
}

/** A row as text, for another thread: exactly what `readJob` gives back. Undefined for one that JSON has no words for. */
export function writeJob(job: unknown): string | undefined {
  return isWritable(job) ? stringifyJson(job) : undefined;
}

/** The row of a text that `writeJob` made. */
export function readJob(text: string): unknown {
  return parseJson(text, { operation: "readJob" });
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
