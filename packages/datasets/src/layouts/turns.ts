import { excerpt, parseJson } from "@kto/core";
import type { DataRow } from "../dataset.js";
import { rowError } from "../errors.js";
import { isObject } from "../data-row.js";
import { isGiven, type Message } from "../rows.js";

/** What the speakers of a turn are called, and their roles. Unknown speakers are refused: which role they have would be a guess. */
export const speakers: ReadonlyMap<string, string> = new Map([
  ["system", "system"],
  ["human", "user"],
  ["user", "user"],
  ["gpt", "assistant"],
  ["assistant", "assistant"],
  ["chatgpt", "assistant"],
  ["bot", "assistant"],
  ["model", "assistant"],
  ["function_call", "assistant"],
  ["tool_call", "assistant"],
  ["tool", "tool"],
  ["tool_response", "tool"],
  ["observation", "tool"],
  ["function_response", "tool"],
]);

/** Speakers whose words are calls of functions, as JSON. */
const callers: ReadonlySet<string> = new Set(["function_call", "tool_call"]);

/** True for an object that is one turn: `{from, value}` or `{role, …}`. */
export function isTurn(value: unknown): value is DataRow {
  return isObject(value) && (typeof value["role"] === "string" || isFromValue(value));
}

/** True for a turn as ShareGPT writes it: `{from, value}`. */
export function isFromValue(value: unknown): boolean {
  return isObject(value) && typeof value["from"] === "string" && "value" in value;
}

/** True for a list of turns, or an empty one. */
export function isTurns(value: unknown): value is DataRow[] {
  return Array.isArray(value) && value.every(isTurn);
}

/** The role of whoever speaks in a turn; undefined for an unknown speaker. */
export function roleOf({ role, from }: DataRow): string | undefined {
  const speaker = (role ?? from) as string;
  return speakers.get(speaker.toLowerCase()) ?? (role === undefined ? undefined : speaker);
}

/** The messages of an answer, which may also be the assistant's text. Throws as {@link messagesOf} does. */
export function answerOf(row: DataRow, column: string, index: number): Message[] {
  const value = row[column];
  return typeof value === "string" ? [{ role: "assistant", content: value }] : messagesOf(row, column, index);
}

/**
 * The messages of a list of turns, or of one turn. `from` and `value` become `role` and `content` and names of speakers roles
 * (`human` is user, `gpt` is assistant); a function call becomes `tool_calls`. Throws `RowError` for other values and unknown speakers.
 *
 * @see trl 1.16, maybe_convert_to_chatml, which renames the fields and leaves the names of speakers
 */
export function messagesOf(row: DataRow, column: string, index: number): Message[] {
  const value = row[column];
  const turns = isTurn(value) ? [value] : value;
  if (isTurns(turns)) return turns.map((turn, place) => toMessage(turn, place, column, index));
  throw rowError(index, {
    problem: `"${column}" is not a conversation`,
    expected: '[{"from": …, "value": …}, …] or [{"role": …, "content": …}, …]',
    got: excerpt(value),
    column,
  });
}

function toMessage(turn: DataRow, place: number, column: string, index: number): Message {
  const { from, value, role: ownRole, content: ownContent, ...rest } = turn;
  const speaker = (ownRole ?? from) as string;
  const role = roleOf(turn);
  if (role === undefined) {
    throw rowError(index, {
      problem: `a turn of "${column}" is of an unknown speaker`,
      expected: `one of ${[...speakers.keys()].join(", ")}`,
      got: `${excerpt(speaker)} in turn ${place}`,
      column,
    });
  }
  const content = ownRole === undefined ? value : ownContent;
  if (callers.has(speaker.toLowerCase())) return { role, ...rest, tool_calls: callsOf(content, place, column, index) };
  return { role, ...("content" in turn || "value" in turn ? { content } : {}), ...rest };
}

/** The calls in the JSON of a function call: `{"name": …, "arguments": …}`, or a list of them. */
function callsOf(content: unknown, place: number, column: string, index: number): object[] {
  let calls = content;
  let cause: unknown;
  if (typeof content === "string") {
    try {
      calls = parseJson(content);
    } catch (error) {
      cause = error;
    }
  }
  const list = Array.isArray(calls) ? calls : [calls];
  if (list.length > 0 && list.every((call) => isObject(call) && typeof call["name"] === "string"))
    return list.map((call: DataRow) => ({ type: "function", function: { name: call["name"], arguments: call["arguments"] ?? {} } }));
  throw rowError(index, {
    problem: `a function call of "${column}" cannot be read`,
    expected: 'JSON {"name": …, "arguments": …}, or a list of them',
    got: `${excerpt(content)} in turn ${place}`,
    column,
    cause,
  });
}

/** A conversation with the system prompt of its row before it, unless it begins with one. */
export function withSystem(system: unknown, messages: Message[]): Message[] {
  if (typeof system !== "string" || system === "" || messages[0]?.role === "system") return messages;
  return [{ role: "system", content: system }, ...messages];
}

/** A conversation cut before the answer at its end: the last turns of the assistant, which may be none. */
export function splitAnswer(messages: readonly Message[]): { prompt: Message[]; answer: Message[] } {
  let start = messages.length;
  while (start > 0 && messages[start - 1]!.role === "assistant") start -= 1;
  return { prompt: messages.slice(0, start), answer: messages.slice(start) };
}

/** True for a value that is given and not an empty text. */
export function hasWords(value: unknown): boolean {
  return isGiven(value) && value !== "";
}
