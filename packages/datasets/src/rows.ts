import { excerpt, isFloat } from "@kto/core";
import type { DataRow } from "./dataset.js";
import { rowError } from "./errors.js";
import { isObject } from "./data-row.js";

/** One message of a conversation. */
export interface Message {
  role: string;
  content?: unknown;
  [field: string]: unknown;
}

/** Text, or a conversation. */
export type TextOrMessages = string | Message[];

/** True for a non-empty list of messages: what makes a row conversational rather than standard. */
export function isConversation(value: unknown): value is Message[] {
  return Array.isArray(value) && value.length > 0 && value.every(isMessage);
}

function isMessage(value: unknown): value is Message {
  return isObject(value) && typeof (value instanceof Map ? value.get("role") : value["role"]) === "string";
}

/** True for a value that says something: neither null nor absent, as a column that only other rows of the file have. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** The value of a column; throws `RowError` when the row lacks it. */
export function columnOf(row: DataRow, column: string, index: number): unknown {
  const value = row[column];
  if (isGiven(value)) return value;
  throw rowError(index, {
    problem: `the column "${column}" is missing${column in row ? " (it is null)" : ""}`,
    expected: "a value",
    got: excerpt(Object.keys(row)),
    advice: `complete or remove row ${index} (counted from 0)`,
    column,
  });
}

/**
 * The text or conversation in a column, either of which may be empty. Throws `RowError` when the column is missing or holds neither of the two.
 */
export function textOf(row: DataRow, column: string, index: number): TextOrMessages {
  const value = columnOf(row, column, index);
  if (typeof value === "string" || (Array.isArray(value) && value.every(isMessage))) return value;
  throw rowError(index, {
    problem: `"${column}" is neither text nor a conversation`,
    expected: 'a string or [{"role": …, "content": …}, …]',
    got: excerpt(value),
    column,
  });
}

/** True for a message that says nothing: its content is null, absent or an empty list, and no other field holds anything. An empty text says something. */
export function isSilent(message: Message): boolean {
  if (message instanceof Map) return false; // an object whose fields are numbers, say
  const { role: _role, content, ...rest } = message;
  const silent = !isGiven(content) || (Array.isArray(content) && content.length === 0);
  return silent && Object.values(rest).every((value) => !isGiven(value) || value === "" || (Array.isArray(value) && value.length === 0));
}

/** Token ids in a column, possibly none; throws `RowError` when it is missing or holds anything but integers of at least 0. */
export function idsOf(row: DataRow, column: string, index: number): number[] {
  const value = columnOf(row, column, index);
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  const ids = isList ? Array.from(value as ArrayLike<unknown>, (id) => (isNumber(id) ? Number(id) : Number.NaN)) : undefined;
  if (ids?.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  throw rowError(index, {
    problem: `"${column}" is not a list of token ids`,
    expected: "integers of at least 0",
    got: excerpt(value),
    column,
  });
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint" || isFloat(value);
}
