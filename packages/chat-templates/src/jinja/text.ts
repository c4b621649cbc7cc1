import { spend, spendItems, spendReading, spendText } from "./budget.js";

/** Blank characters as Python's `str.strip()` and `str.split()` see them. */
export const PYTHON_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE: RegExp = new RegExp(`[${PYTHON_SPACE}]`);
const LINE_BREAK = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;
const SURROGATE = /[\ud800-\udfff]/;

export type Side = "left" | "right" | "both";

/** The text that was last looked at by {@link isPlain}: templates walk through one by index. */
let lastText = "";
let lastIsPlain = true;

/** Whether every character of a text is one UTF-16 unit, so that Python's indices are JavaScript's. */
function isPlain(text: string): boolean {
  if (text === lastText) return lastIsPlain;
  spendReading(text.length);
  lastIsPlain = !SURROGATE.test(text);
  lastText = text.length < 2 ** 20 ? text : ""; // keeps little alive
  return lastIsPlain;
}

/** A string as Python iterates over it: by code points. */
export function characters(text: string): string[] {
  spendItems(text.length, 16);
  return isPlain(text) ? text.split("") : Array.from(text);
}

/** `len(text)`. */
export function textLength(text: string): number {
  if (isPlain(text)) return text.length;
  spendReading(text.length, true);
  let length = 0;
  for (let at = 0; at < text.length; at += unitsAt(text, at)) length++;
  return length;
}

/** `text[start:stop]` for indices within the text. */
export function textSlice(text: string, start: number, stop: number): string {
  if (isPlain(text)) return text.slice(start, stop);
  const from = unitIndex(text, start);
  return text.slice(from, unitIndex(text, stop - start, from));
}

/** Index of the UTF-16 unit at which character `index` of a text starts, counted from the unit `from`. */
function unitIndex(text: string, index: number, from = 0): number {
  spendReading(index, true);
  let at = from;
  for (let passed = 0; passed < index && at < text.length; passed++) at += unitsAt(text, at);
  return at;
}

function unitsAt(text: string, at: number): 1 | 2 {
  return text.codePointAt(at)! > 0xffff ? 2 : 1;
}

/** Whether a UTF-16 unit is one of `PYTHON_SPACE`, none of which takes two. */
function isSpace(unit: number): boolean {
  if (unit < 0x80) return unit <= 0x20 && (unit === 0x20 || (unit >= 9 && unit <= 13) || unit >= 0x1c);
  return SPACE.test(String.fromCharCode(unit));
}

/** `text.strip(chars)` and its one-sided forms; null strips blank space. */
export function strip(text: string, chars: string | null = null, side: Side = "both"): string {
  if (chars !== null) return stripSet(text, new Set(characters(chars)), side);
  let start = 0;
  let end = text.length;
  if (side !== "right") while (start < end && isSpace(text.charCodeAt(start))) start++;
  if (side !== "left") while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  spendReading(start + text.length - end, true);
  return text.slice(start, end);
}

function stripSet(text: string, set: ReadonlySet<string>, side: Side): string {
  let start = 0;
  let end = text.length;
  const goes = (from: number, to: number): boolean => {
    spend(1);
    return set.has(text.slice(from, to));
  };
  if (side !== "right") {
    while (start < end) {
      const length = unitsAt(text, start);
      if (!goes(start, start + length)) break;
      start += length;
    }
  }
  if (side !== "left") {
    while (end > start) {
      const length = end - start > 1 && unitsAt(text, end - 2) === 2 ? 2 : 1;
      if (!goes(end - length, end)) break;
      end -= length;
    }
  }
  return text.slice(start, end);
}

/**
 * A text with every match of a global pattern replaced. JavaScript's own `replace` collects the matches before it calls back, which a text of a
 * megabyte of them does not survive; this one pays as it goes.
 */
export function replaceEach(text: string, pattern: RegExp, convert: (match: string) => string): string {
  let result = "";
  let position = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const fresh = convert(match[0]);
    spendItems(1, 64);
    spendText(fresh.length);
    result += text.slice(position, match.index) + fresh;
    position = match.index + match[0].length;
  }
  return position === 0 ? text : result + text.slice(position);
}

/** `text.splitlines()`. */
export function splitLines(text: string, keepEnds = false): string[] {
  spendReading(text.length, true);
  const lines: string[] = [];
  let start = 0;
  for (const match of text.matchAll(LINE_BREAK)) {
    spendItems(1, 32);
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
  spendText(text.length);
  if (text === "") return "";
  const first = text.slice(0, unitsAt(text, 0));
  const capital = first.toUpperCase();
  const head = capital.slice(0, unitsAt(capital, 0));
  const title = DIGRAPHS.find((forms) => forms.includes(first))?.[1] ?? head;
  return title + (capital.slice(head.length) + text.slice(first.length)).toLowerCase();
}
