import { malformed } from "./errors.js";
import { FILE_NAMES, isObject } from "./files.js";

/** Longest expression of a tokenizer; the longest have some 400 letters. */
const MAX_PATTERN = 4096;

/** Checks what a text is cut or replaced by: `{String}` or `{Regex}` that takes no exponential time. Throws `TokenizerError`. */
export function checkPattern(pattern: unknown, where: string): void {
  const file = FILE_NAMES.tokenizerJson;
  if (!isObject(pattern)) throw malformed(file, where, "{Regex: text} or {String: text}", pattern);
  const { Regex: regex, String: text } = pattern;
  const given = regex ?? text;
  if (typeof given !== "string" || (regex !== undefined && text !== undefined))
    throw malformed(file, where, "{Regex: text} or {String: text}", pattern);
  if (given.length > MAX_PATTERN) throw malformed(file, where, `at most ${MAX_PATTERN} letters`, given.length);
  if (typeof regex === "string" && repeatsAmbiguously(regex)) {
    throw malformed(file, where, "an expression without a repeated group that repeats or chooses inside, which can take for ever", regex);
  }
}

/** Whether an expression repeats a group without an upper bound that holds such a repetition or alternatives itself: `(a+)+`, `(a|ab)*`. */
export function repeatsAmbiguously(source: string): boolean {
  const open = [{ repeats: false, chooses: false }];
  for (let at = 0; at < source.length; at++) {
    const letter = source[at];
    let group = open.at(-1)!;
    if (letter === "(") {
      open.push({ repeats: false, chooses: false });
      continue;
    }
    if (letter === "|") group.chooses = true;
    if (letter === "\\") at++;
    else if (letter === "[") at = classEnd(source, at);
    const closed = letter === ")" && open.length > 1 ? open.pop()! : undefined;
    if (closed) group = open.at(-1)!;
    const repeated = isUnbounded(source, at + 1);
    if (closed && repeated && (closed.repeats || closed.chooses)) return true;
    if (repeated || closed?.repeats) group.repeats = true;
  }
  return false;
}

/** The index of the bracket that closes a class, classes inside it included. */
function classEnd(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source[at] === "\\") at++;
    else if (source[at] === "[") depth++;
    else if (source[at] === "]" && at > start + 1 && --depth === 0) return at;
  }
  return source.length;
}

/** Whether what stands at an index repeats without an upper bound. */
function isUnbounded(source: string, at: number): boolean {
  return source[at] === "*" || source[at] === "+" || /^\{\d*,\}/.test(source.slice(at, at + 16));
}

/**
 * Rust's engine folds case by Unicode, so that in `(?i:'s|…)` the long s `ſ` (U+017F) counts as s; the JavaScript library folds
 * ASCII only. Returns a copy of a pre-tokenizer in which such groups name that letter.
 */
export function withUnicodeCaseFolding(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withUnicodeCaseFolding);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "Regex" && typeof value === "string" ? foldGroups(value) : withUnicodeCaseFolding(value),
    ]),
  );
}

function foldGroups(pattern: string): string {
  return pattern.replace(/\(\?i:[^()[\]\\]*\)/g, (group) => group.slice(0, 4) + group.slice(4).replace(/s/gi, "[sſ]"));
}
