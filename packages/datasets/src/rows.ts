import { excerpt } from "@kto/core";
import type { DataRow } from "./dataset.js";
import { RowError } from "./errors.js";
import { isObject } from "./jsonl.js";

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
  return Array.isArray(value) && value.length > 0 && value.every((message) => isObject(message) && typeof message["role"] === "string");
}

/** The value of a column; throws `RowError` when the row lacks it. */
export function columnOf(row: DataRow, column: string, index: number): unknown {
  const value = row[column];
  if (value !== undefined && value !== null) return value;
  throw new RowError(
    `row ${index}: the column "${column}" is missing; expected a value, got ${excerpt(Object.keys(row))}; complete or remove row ${index} (counted from 0)`,
    {
      row: index,
      column,
    },
  );
}

/**
 * The text or conversation in a column.
 * Throws `RowError` when it is missing, neither of the two, or empty: no character, no message, or only messages that say nothing.
 */
export function textOf(row: DataRow, column: string, index: number): TextOrMessages {
  const value = columnOf(row, column, index);
  if (value === "" || (Array.isArray(value) && value.length === 0) || (isConversation(value) && value.every(saysNothing))) {
    throw new RowError(
      `row ${index}: "${column}" is empty; expected text or messages, got ${excerpt(value)}; complete or remove row ${index} (counted from 0)`,
      {
        row: index,
        column,
      },
    );
  }
  if (typeof value === "string" || isConversation(value)) return value;
  throw new RowError(
    `row ${index}: "${column}" is neither text nor a conversation; expected a string or [{"role": …, "content": …}, …], got ${excerpt(value)}; mend row ${index} (counted from 0)`,
    { row: index, column },
  );
}

function saysNothing({ role: _role, content, ...rest }: Message): boolean {
  const silent = content === "" || content === null || content === undefined || (Array.isArray(content) && content.length === 0);
  return silent && Object.values(rest).every((value) => value === null || value === undefined || value === "");
}

/** The class of a row, `true` for desirable. Takes true, false, 1 and 0; throws `RowError` for anything else, strings included. */
export function labelOf(row: DataRow, index: number): boolean {
  const value = columnOf(row, "label", index);
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  throw new RowError(
    `row ${index}: the label has the wrong type or value; expected true, false, 1 or 0, got ${excerpt(value)} (${typeof value}); mend row ${index} (counted from 0)`,
    { row: index, column: "label" },
  );
}

/** Token ids in a column; throws `RowError` when it is missing, empty or holds anything but integers of at least 0. */
export function idsOf(row: DataRow, column: string, index: number): number[] {
  const value = columnOf(row, column, index);
  const ids =
    Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
      ? Array.from(value as ArrayLike<unknown>, Number)
      : [];
  if (ids.length > 0 && ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  throw new RowError(
    `row ${index}: "${column}" is not a list of token ids; expected integers of at least 0, got ${excerpt(value)}; mend row ${index} (counted from 0)`,
    {
      row: index,
      column,
    },
  );
}
