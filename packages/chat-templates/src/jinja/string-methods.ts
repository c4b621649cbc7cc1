import { spend, spendItems, spendReading, spendText } from "./budget.js";
import { ascii, represent, toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { countOf, indexOf, lastIndexOf } from "./search.js";
import { method } from "./signature.js";
import { capitalize, characters, PYTHON_SPACE, replaceEach, type Side, splitLines, strip, textLength, textSlice } from "./text.js";
import { Callable, iterate, toIndex, truthy, Tuple, typeName, type Value } from "./values.js";

const SPACE_RUN: RegExp = new RegExp(`[${PYTHON_SPACE}]+`, "g");

/** The method `name` of a Python string, or undefined where it has none that a template could want. */
export function stringMethod(text: string, name: string): Callable | undefined {
  const build = METHODS[name];
  return build?.(text, name);
}

type Builder = (text: string, name: string) => Callable;

const map =
  (convert: (text: string) => string): Builder =>
  (text, name) =>
    method(name, [], 0, () => {
      spendText(text.length);
      spendReading(text.length, true);
      return convert(text);
    });
const check =
  (pattern: RegExp): Builder =>
  (text, name) =>
    method(name, [], 0, () => {
      spendReading(text.length, true);
      return pattern.test(text);
    });
const stripper =
  (side: Side): Builder =>
  (text, name) =>
    method(name, ["chars"], 0, (chars = null) => strip(text, chars === null ? null : toStr(name, chars), side));
const splitter =
  (fromRight: boolean): Builder =>
  (text, name) =>
    method(name, ["sep", "maxsplit"], 0, (sep = null, limit = -1n) =>
      split(text, sep === null ? null : toStr(name, sep), toIndex(limit), fromRight),
    );
const finder =
  (fromRight: boolean, mustExist: boolean): Builder =>
  (text, name) =>
    method(name, ["sub", "start", "end"], 1, (sub, start = null, end = null) => {
      const [from, part] = window(text, start, end);
      const at = (fromRight ? lastIndexOf : indexOf)(part, toStr(name, sub!));
      if (at === -1 && mustExist) throw new PythonError("ValueError", "substring not found");
      return BigInt(at === -1 ? -1 : from + textLength(part.slice(0, at)));
    });
const edge =
  (matches: (text: string, part: string) => boolean): Builder =>
  (text, name) =>
    method(name, ["prefix", "start", "end"], 1, (prefix, start = null, end = null) => {
      const [, part] = window(text, start, end);
      const options = prefix instanceof Tuple ? prefix.items : [prefix!];
      return options.some((option) => {
        spend(1);
        if (typeof option !== "string") typeError(`${name} first arg must be str or a tuple of str, not ${typeName(option)}`);
        spendReading(option.length);
        return matches(part, option);
      });
    });
const padder =
  (side: Side): Builder =>
  (text, name) =>
    method(name, ["width", "fillchar"], 1, (width, fill = " ") => pad(text, toIndex(width!), toStr(name, fill), side));
const partition =
  (fromRight: boolean): Builder =>
  (text, name) =>
    method(name, ["sep"], 1, (sep) => {
      const mark = toStr(name, sep!);
      if (mark === "") throw new PythonError("ValueError", "empty separator");
      const at = (fromRight ? lastIndexOf : indexOf)(text, mark);
      if (at === -1) return new Tuple(fromRight ? ["", "", text] : [text, "", ""]);
      return new Tuple([text.slice(0, at), mark, text.slice(at + mark.length)]);
    });

const METHODS: Readonly<Record<string, Builder>> = Object.assign(Object.create(null) as Record<string, Builder>, {
  upper: map((text) => text.toUpperCase()),
  lower: map((text) => text.toLowerCase()),
  casefold: map((text) => text.toLowerCase().replaceAll("ß", "ss")),
  swapcase: map((text) =>
    characters(text)
      .map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))
      .join(""),
  ),
  title: map((text) => replaceEach(text, /\p{Alphabetic}+/gu, capitalize)),
  capitalize: map(capitalize),
  strip: stripper("both"),
  lstrip: stripper("left"),
  rstrip: stripper("right"),
  split: splitter(false),
  rsplit: splitter(true),
  find: finder(false, false),
  rfind: finder(true, false),
  index: finder(false, true),
  rindex: finder(true, true),
  startswith: edge((text, part) => text.startsWith(part)),
  endswith: edge((text, part) => text.endsWith(part)),
  ljust: padder("right"),
  rjust: padder("left"),
  center: padder("both"),
  partition: partition(false),
  rpartition: partition(true),
  isdigit: check(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]+$/u),
  isdecimal: check(/^\p{Nd}+$/u),
  isnumeric: check(/^\p{N}+$/u),
  isalpha: check(/^\p{L}+$/u),
  isalnum: check(/^[\p{L}\p{N}]+$/u),
  isspace: check(new RegExp(`^[${PYTHON_SPACE}]+$`)),
  isupper: check(/^(?=.*\p{Lu})[^\p{Ll}\p{Lt}]*$/su),
  islower: check(/^(?=.*\p{Ll})[^\p{Lu}\p{Lt}]*$/su),
  isascii: check(/^[\x00-\x7f]*$/),
  splitlines: (text: string, name: string) => method(name, ["keepends"], 0, (keep = false) => splitLines(text, truthy(keep))),
  join: (text: string, name: string) =>
    method(name, ["iterable"], 1, (items) =>
      joinTexts(
        iterate(items!).map((item, index) =>
          typeof item === "string" ? item : typeError(`sequence item ${index}: expected str instance, ${typeName(item)} found`),
        ),
        text,
      ),
    ),
  replace: (text: string, name: string) =>
    method(name, ["old", "new", "count"], 2, (old, replacement, count = -1n) =>
      replace(text, toStr(name, old!), toStr(name, replacement!), toIndex(count)),
    ),
  count: (text: string, name: string) =>
    method(name, ["sub", "start", "end"], 1, (sub, start = null, end = null) => {
      const [, part] = window(text, start, end);
      const wanted = toStr(name, sub!);
      return BigInt(wanted === "" ? textLength(part) + 1 : countOf(part, wanted));
    }),
  removeprefix: (text: string, name: string) =>
    method(name, ["prefix"], 1, (prefix) => (text.startsWith(toStr(name, prefix!)) ? text.slice((prefix as string).length) : text)),
  removesuffix: (text: string, name: string) =>
    method(name, ["suffix"], 1, (suffix) =>
      suffix !== "" && text.endsWith(toStr(name, suffix!)) ? text.slice(0, -(suffix as string).length) : text,
    ),
  zfill: (text: string, name: string) =>
    method(name, ["width"], 1, (width) => {
      const sign = /^[-+]/.exec(text)?.[0] ?? "";
      return sign + padding("0", toIndex(width!) - textLength(text)) + text.slice(sign.length);
    }),
  format: (text: string, name: string) => new Callable(name, (args, keywords) => formatBraces(text, args, keywords)),
});

/** Texts with another between them. */
export function joinTexts(texts: readonly string[], separator: string): string {
  let length = separator.length * Math.max(0, texts.length - 1);
  for (const text of texts) length += text.length;
  spendItems(texts.length);
  spendText(length);
  return texts.join(separator);
}

/** `text.replace(old, new, count)`; a negative count replaces all. */
export function replace(text: string, old: string, replacement: string, count = -1): string {
  const limit = count < 0 ? Infinity : count;
  const times = Math.min(limit, old === "" ? textLength(text) + 1 : countOf(text, old, limit));
  if (times === 0) return text;
  spendText(text.length + times * (replacement.length - old.length));
  spendItems(times);
  if (old === "") return replacement + joinedWith(characters(text), replacement, times - 1);
  const parts: string[] = [];
  let start = 0;
  for (let time = 0; time < times; time++) {
    const at = indexOf(text, old, start);
    parts.push(text.slice(start, at));
    start = at + old.length;
  }
  parts.push(text.slice(start));
  return parts.join(replacement);
}

/** Characters with a text behind the first `times` of them. */
function joinedWith(letters: string[], text: string, times: number): string {
  return letters.map((letter, index) => (index < times ? letter + text : letter)).join("");
}

function toStr(name: string, value: Value): string {
  return typeof value === "string" ? value : typeError(`${name}() argument must be str, not ${typeName(value)}`);
}

/** The part of a text between two optional indices, and the index at which it starts. */
function window(text: string, start: Value, end: Value): [number, string] {
  if (start === null && end === null) return [0, text];
  const length = textLength(text);
  const bound = (value: Value, fallback: number): number => {
    const index = value === null ? fallback : toIndex(value);
    return Math.min(length, index < 0 ? Math.max(0, index + length) : index);
  };
  const from = bound(start, 0);
  return [from, textSlice(text, from, Math.max(from, bound(end, length)))];
}

function split(text: string, separator: string | null, limit: number, fromRight: boolean): Value[] {
  if (separator === "") throw new PythonError("ValueError", "empty separator");
  const source = separator === null ? strip(text, null, fromRight ? "right" : "left") : text;
  if (separator === null && source === "") return [];
  const marks = separator === null ? blanks(source) : positions(source, separator, fromRight, limit);
  const used = limit < 0 ? marks : fromRight ? marks.slice(Math.max(0, marks.length - limit)) : marks.slice(0, limit);
  const parts: string[] = [];
  let start = 0;
  spendItems(used.length + 1, PART_BYTES);
  for (const { at, length } of used) {
    parts.push(source.slice(start, at));
    start = at + length;
  }
  parts.push(source.slice(start));
  return separator === null ? parts.filter((part) => part !== "") : parts;
}

/** Bytes of a place where a text is cut, or of a part of it. */
const PART_BYTES = 40;

interface Place {
  at: number;
  length: number;
}

/** Where blanks stand. */
function blanks(text: string): Place[] {
  spendReading(text.length, true);
  const found: Place[] = [];
  for (const match of text.matchAll(SPACE_RUN)) {
    spendItems(1, PART_BYTES);
    found.push({ at: match.index, length: match[0].length });
  }
  return found;
}

/** Where a separator stands, without overlaps, found from the chosen end, in ascending order; at most `limit` of them where that is not negative. */
function positions(text: string, separator: string, fromRight: boolean, limit: number): Place[] {
  const { length } = separator;
  const found: Place[] = [];
  const next = (at: number): number =>
    fromRight ? (at < length ? -1 : lastIndexOf(text, separator, at - length)) : indexOf(text, separator, at + length);
  for (let at = fromRight ? lastIndexOf(text, separator) : indexOf(text, separator); at !== -1 && found.length !== limit; at = next(at)) {
    spendItems(1, PART_BYTES);
    found.push({ at, length });
  }
  return fromRight ? found.reverse() : found;
}

/** `text.ljust`, `rjust` and `center`; `side` is where the padding goes. */
export function pad(text: string, width: number, fill: string, side: Side): string {
  if (textLength(fill) !== 1) typeError("The fill character must be exactly one character long");
  const missing = Math.max(0, width - textLength(text));
  if (missing === 0) return text;
  const left = side === "left" ? missing : side === "right" ? 0 : Math.floor(missing / 2) + (missing & width & 1);
  spendText(text.length);
  return padding(fill, left) + text + padding(fill, missing - left);
}

/** A text `times` times, none where that is negative. */
export function padding(text: string, times: number): string {
  if (times <= 0) return "";
  if (times >= 2 ** 63) throw new PythonError("OverflowError", "Python int too large to convert to C ssize_t");
  spendText(text.length * times);
  return text.repeat(times);
}

const BRACE = /[{}]/g;
const FIELD = /\{(\w*)(?:!([rsa]))?\}/y;

/** `text.format(…)` with `{}`, `{0}` and `{name}`, `!r`, `!s` and `!a`; attributes and format specifications are refused. */
function formatBraces(text: string, args: Value[], keywords: ReadonlyMap<string, Value>): string {
  let automatic = 0;
  let result = "";
  let position = 0;
  const valueOf = (key: string): Value => {
    const isIndex = key === "" || /^\d+$/.test(key);
    const value = key === "" ? args[automatic++] : isIndex ? args[Number(key)] : keywords.get(key);
    if (value !== undefined) return value;
    throw isIndex ? new PythonError("IndexError", "tuple index out of range") : new PythonError("KeyError", represent(key));
  };
  BRACE.lastIndex = 0;
  for (let brace = BRACE.exec(text); brace; brace = BRACE.exec(text)) {
    spend(1);
    result += text.slice(position, brace.index);
    position = brace.index + 1;
    if (text[position] === brace[0]) {
      result += brace[0];
      position++;
    } else if (brace[0] === "}" || position === text.length) {
      throw new PythonError("ValueError", `Single '${brace[0]}' encountered in format string`);
    } else {
      FIELD.lastIndex = brace.index;
      const field = FIELD.exec(text);
      if (!field) {
        const shown = represent(text.slice(brace.index, brace.index + 40));
        throw new PythonError("ValueError", `the format field at ${shown} is not supported in a chat template`);
      }
      const [whole, key = "", conversion] = field;
      const value = valueOf(key);
      const shown = conversion === "r" ? represent(value) : conversion === "a" ? ascii(represent(value)) : toText(value);
      spendText(shown.length);
      result += shown;
      position = brace.index + whole.length;
    }
    BRACE.lastIndex = position;
  }
  spendText(text.length);
  return result + text.slice(position);
}
