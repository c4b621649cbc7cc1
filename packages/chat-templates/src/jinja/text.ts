import { characters } from "./values.js";

/** Blank characters as Python's `str.strip()` and `str.split()` see them. */
export const PYTHON_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LEADING_SPACE: RegExp = new RegExp(`^[${PYTHON_SPACE}]+`);
const TRAILING_SPACE: RegExp = new RegExp(`[${PYTHON_SPACE}]+$`);
const LINE_BREAK = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

export type Side = "left" | "right" | "both";

/** `text.strip(chars)` and its one-sided forms; null strips blank space. */
export function strip(text: string, chars: string | null = null, side: Side = "both"): string {
  if (chars === null) {
    const left = side === "right" ? text : text.replace(LEADING_SPACE, "");
    return side === "left" ? left : left.replace(TRAILING_SPACE, "");
  }
  const set = new Set(characters(chars));
  const letters = characters(text);
  let start = 0;
  let end = letters.length;
  if (side !== "right") while (start < end && set.has(letters[start]!)) start++;
  if (side !== "left") while (end > start && set.has(letters[end - 1]!)) end--;
  return letters.slice(start, end).join("");
}

/** `text.splitlines()`. */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const match of text.matchAll(LINE_BREAK)) {
    lines.push(text.slice(start, keepEnds ? match.index + match[0].length : match.index));
    start = match.index + match[0].length;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** Letters of two, whose form at the head of a word is neither their small nor their capital one. */
const DIGRAPHS: readonly string[] = ["\u01c4\u01c5\u01c6", "\u01c7\u01c8\u01c9", "\u01ca\u01cb\u01cc", "\u01f1\u01f2\u01f3"];

/** `text.capitalize()`. */
export function capitalize(text: string): string {
  const [first = "", ...rest] = characters(text);
  const [head = "", ...tail] = characters(first.toUpperCase());
  const title = DIGRAPHS.find((forms) => forms.includes(first))?.[1] ?? head;
  return (first === "" ? "" : title) + [...tail, ...rest].join("").toLowerCase();
}
