import { represent, toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { method } from "./signature.js";
import { capitalize, PYTHON_SPACE, type Side, splitLines, strip } from "./text.js";
import { Callable, characters, iterate, toIndex, truthy, Tuple, typeName, type Value } from "./values.js";

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
    method(name, [], 0, () => convert(text));
const check =
  (pattern: RegExp): Builder =>
  (text, name) =>
    method(name, [], 0, () => pattern.test(text));
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
      const at = fromRight ? part.lastIndexOf(toStr(name, sub!)) : part.indexOf(toStr(name, sub!));
      if (at === -1 && mustExist) throw new PythonError("ValueError", "substring not found");
      return BigInt(at === -1 ? -1 : from + characters(part.slice(0, at)).length);
    });
const edge =
  (matches: (text: string, part: string) => boolean): Builder =>
  (text, name) =>
    method(name, ["prefix", "start", "end"], 1, (prefix, start = null, end = null) => {
      const [, part] = window(text, start, end);
      const options = prefix instanceof Tuple ? prefix.items : [prefix!];
      return options.some((option) => {
        if (typeof option !== "string") typeError(`${name} first arg must be str or a tuple of str, not ${typeName(option)}`);
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
      const at = fromRight ? text.lastIndexOf(mark) : text.indexOf(mark);
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
  title: map((text) => text.replace(/\p{Alphabetic}+/gu, capitalize)),
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
      iterate(items!)
        .map((item, index) =>
          typeof item === "string" ? item : typeError(`sequence item ${index}: expected str instance, ${typeName(item)} found`),
        )
        .join(text),
    ),
  replace: (text: string, name: string) =>
    method(name, ["old", "new", "count"], 2, (old, replacement, count = -1n) =>
      replace(text, toStr(name, old!), toStr(name, replacement!), toIndex(count)),
    ),
  count: (text: string, name: string) =>
    method(name, ["sub", "start", "end"], 1, (sub, start = null, end = null) => {
      const [, part] = window(text, start, end);
      const wanted = toStr(name, sub!);
      return BigInt(wanted === "" ? characters(part).length + 1 : part.split(wanted).length - 1);
    }),
  removeprefix: (text: string, name: string) =>
    method(name, ["prefix"], 1, (prefix) => (text.startsWith(toStr(name, prefix!)) ? text.slice((prefix as string).length) : text)),
  removesuffix: (text: string, name: string) =>
    method(name, ["suffix"], 1, (suffix) =>
      suffix !== "" && text.endsWith(toStr(name, suffix!)) ? text.slice(0, -(suffix as string).length) : text,
    ),
  zfill: (text: string, name: string) =>
    method(name, ["width"], 1, (width) =>
      text.replace(/^[-+]?/, (sign) => sign + "0".repeat(Math.max(0, toIndex(width!) - characters(text).length))),
    ),
  format: (text: string, name: string) => new Callable(name, (args, keywords) => formatBraces(text, args, keywords)),
});

/** `text.replace(old, new, count)`; a negative count replaces all. */
export function replace(text: string, old: string, replacement: string, count = -1): string {
  const parts = old === "" ? ["", ...characters(text), ""] : text.split(old);
  const limit = count < 0 ? parts.length : count;
  return parts.reduce((result, part, index) => result + (index <= limit ? replacement : old) + part);
}

function toStr(name: string, value: Value): string {
  return typeof value === "string" ? value : typeError(`${name}() argument must be str, not ${typeName(value)}`);
}

/** The part of a text between two optional indices, and the index at which it starts. */
function window(text: string, start: Value, end: Value): [number, string] {
  if (start === null && end === null) return [0, text];
  const letters = characters(text);
  const bound = (value: Value, fallback: number): number => {
    const index = value === null ? fallback : toIndex(value);
    return Math.min(letters.length, index < 0 ? Math.max(0, index + letters.length) : index);
  };
  const from = bound(start, 0);
  return [from, letters.slice(from, bound(end, letters.length)).join("")];
}

function split(text: string, separator: string | null, limit: number, fromRight: boolean): Value[] {
  if (separator === "") throw new PythonError("ValueError", "empty separator");
  const source = separator === null ? strip(text, null, fromRight ? "right" : "left") : text;
  if (separator === null && source === "") return [];
  const marks =
    separator === null
      ? [...source.matchAll(SPACE_RUN)].map((match) => ({ at: match.index, length: match[0].length }))
      : positions(source, separator, fromRight);
  const used = limit < 0 ? marks : fromRight ? marks.slice(Math.max(0, marks.length - limit)) : marks.slice(0, limit);
  const parts: string[] = [];
  let start = 0;
  for (const { at, length } of used) {
    parts.push(source.slice(start, at));
    start = at + length;
  }
  parts.push(source.slice(start));
  return separator === null ? parts.filter((part) => part !== "") : parts;
}

/** Where a separator stands, without overlaps, found from the chosen end, in ascending order. */
function positions(text: string, separator: string, fromRight: boolean): { at: number; length: number }[] {
  const { length } = separator;
  const found: { at: number; length: number }[] = [];
  if (fromRight) {
    for (let at = text.lastIndexOf(separator); at !== -1; at = at < length ? -1 : text.lastIndexOf(separator, at - length))
      found.unshift({ at, length });
  } else {
    for (let at = text.indexOf(separator); at !== -1; at = text.indexOf(separator, at + length)) found.push({ at, length });
  }
  return found;
}

/** `text.ljust`, `rjust` and `center`; `side` is where the padding goes. */
export function pad(text: string, width: number, fill: string, side: Side): string {
  const missing = Math.max(0, width - characters(text).length);
  const left = side === "left" ? missing : side === "right" ? 0 : Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

/** `text.format(…)` with `{}`, `{0}` and `{name}`, `!r` and `!s`; attributes and format specifications are refused. */
function formatBraces(text: string, args: Value[], keywords: ReadonlyMap<string, Value>): string {
  let automatic = 0;
  return text.replace(
    /\{\{|\}\}|\{(\w*)(?:!([rs]))?(?:[.[:!][^}]*)?\}|[{}]/g,
    (field, key: string | undefined, conversion: string | undefined) => {
      if (field === "{{" || field === "}}") return field[0]!;
      const plain = key !== undefined && field.length === key.length + 2 + (conversion ? 2 : 0);
      if (!plain) throw new PythonError("ValueError", `format field ${represent(field)} is not supported in a chat template`);
      const value = key === "" ? args[automatic++] : /^\d+$/.test(key) ? args[Number(key)] : keywords.get(key);
      if (value === undefined) {
        if (key === "" || /^\d+$/.test(key))
          throw new PythonError("IndexError", "Replacement index out of range for positional args tuple");
        throw new PythonError("KeyError", represent(key));
      }
      return conversion === "r" ? represent(value) : toText(value);
    },
  );
}
