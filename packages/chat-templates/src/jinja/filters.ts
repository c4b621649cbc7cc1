import { getAttribute } from "./attributes.js";
import { type Filter, filter } from "./filter.js";
import { jsonOptions, toJson } from "./json.js";
import { listFilters } from "./list-filters.js";
import { percentFormat } from "./percent-format.js";
import { toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { roundFloat } from "./round.js";
import { pad, replace } from "./string-methods.js";
import { capitalize, splitLines, strip } from "./text.js";
import { characters, isNumber, iterate, toIndex, truthy, Tuple, typeName, Undefined, type Value } from "./values.js";

const escapeHtml = (input: Value): Value =>
  toText(input).replaceAll("&", "&amp;").replaceAll(">", "&gt;").replaceAll("<", "&lt;").replaceAll("'", "&#39;").replaceAll('"', "&#34;");
const defaultTo = (input: Value, fallback: Value = "", boolean: Value = false): Value =>
  input instanceof Undefined || (truthy(boolean) && !truthy(input)) ? fallback : input;

const textFilters: [string, Filter][] = [
  filter("upper", [], (input) => toText(input).toUpperCase()),
  filter("lower", [], (input) => toText(input).toLowerCase()),
  filter("capitalize", [], (input) => capitalize(toText(input))),
  filter("title", [], (input) =>
    toText(input).replace(/[^-\s({[<]+/g, (word) => {
      const [first = "", ...rest] = characters(word);
      return first.toUpperCase() + rest.join("").toLowerCase();
    }),
  ),
  filter("trim", ["chars"], (input, chars = null) => strip(toText(input), chars === null ? null : toText(chars))),
  filter("string", [], (input) => toText(input)),
  filter("safe", [], (input) => toText(input)),
  filter("escape", [], escapeHtml),
  filter("e", [], escapeHtml),
  filter("forceescape", [], escapeHtml),
  filter(
    "replace",
    ["old", "new", "count"],
    (input, old, fresh, count = null) => replace(toText(input), toText(old!), toText(fresh!), count === null ? -1 : toIndex(count)),
    2,
  ),
  filter("center", ["width"], (input, width = 80n) => pad(toText(input), toIndex(width), " ", "both")),
  filter("indent", ["width", "first", "blank"], (input, width = 4n, first = false, blank = false) => {
    const indentation = typeof width === "string" ? width : " ".repeat(Math.max(0, toIndex(width)));
    const [head = "", ...rest] = splitLines(`${toText(input)}\n`);
    const tail = rest.map((line) => (line !== "" || truthy(blank) ? indentation + line : line));
    return (truthy(first) ? indentation : "") + [head, ...tail].join("\n");
  }),
  filter("truncate", ["length", "killwords", "end", "leeway"], (input, length = 255n, killwords = false, end = "...", leeway = 5n) => {
    const letters = characters(toText(input));
    if (letters.length <= toIndex(length) + toIndex(leeway)) return toText(input);
    const cut = letters.slice(0, Math.max(0, toIndex(length) - characters(toText(end)).length)).join("");
    const space = cut.lastIndexOf(" ");
    return (truthy(killwords) || space === -1 ? cut : cut.slice(0, space)) + toText(end);
  }),
  filter("wordcount", [], (input) => BigInt(toText(input).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)),
  filter("urlencode", [], (input) => {
    if (typeof input === "string" || !(Array.isArray(input) || input instanceof Map)) return quoteUrl(toText(input));
    const pairs = input instanceof Map ? [...input] : iterate(input).map((pair) => iterate(pair) as [Value, Value]);
    return pairs.map(([key, value]) => `${quoteUrl(toText(key))}=${quoteUrl(toText(value))}`.replaceAll("/", "%2F")).join("&");
  }),
  ["format", (input, args, keywords) => percentFormat(toText(input), keywords.size > 0 ? new Map(keywords) : new Tuple(args))],
];

const valueFilters: [string, Filter][] = [
  filter("default", ["default_value", "boolean"], defaultTo),
  filter("d", ["default_value", "boolean"], defaultTo),
  filter("abs", [], (input) => {
    if (input instanceof Undefined) input.fail();
    if (!isNumber(input)) typeError(`bad operand type for abs(): '${typeName(input)}'`);
    return typeof input === "number" ? Math.abs(input) : BigInt(input) < 0n ? -BigInt(input) : BigInt(input);
  }),
  filter("int", ["default", "base"], (input, fallback = 0n, base = 10n) => parseInteger(input, toIndex(base)) ?? fallback),
  filter("float", ["default"], (input, fallback = 0) => parseFloatText(input) ?? fallback),
  filter("round", ["precision", "method"], (input, precision = 0n, method = "common") => {
    if (input instanceof Undefined) input.fail();
    if (!isNumber(input)) typeError(`type ${typeName(input)} doesn't define __round__ method`);
    if (method !== "common" && method !== "ceil" && method !== "floor")
      throw new PythonError("FilterArgumentError", "method must be common, ceil or floor");
    const places = toIndex(precision);
    if (method === "common")
      return typeof input === "number" ? roundFloat(input, places) : BigInt(roundFloat(Number(input), Math.min(0, places)));
    return Math[method](Number(input) * 10 ** places) / 10 ** places;
  }),
  filter(
    "attr",
    ["name"],
    (input, name) => (input instanceof Map ? getAttribute(new Map(), toText(name!)) : getAttribute(input, toText(name!))),
    1,
  ),
  filter(
    "tojson",
    ["ensure_ascii", "indent", "separators", "sort_keys"],
    (input, ascii = false, indent = null, separators = null, sortKeys = false) =>
      toJson(input, jsonOptions(truthy(ascii), indent, separators, truthy(sortKeys))),
  ),
];

/** Every filter a template may use. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map([...textFilters, ...valueFilters, ...listFilters]);

function quoteUrl(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!*'()]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/");
}

/** `int(value)`, then `int(float(value))`; undefined where Python would raise. */
function parseInteger(value: Value, base: number): bigint | undefined {
  if (value instanceof Undefined) value.fail();
  if (typeof value === "boolean" || typeof value === "bigint") return BigInt(value);
  if (typeof value === "string") {
    const digits = strip(value)
      .replaceAll("_", "")
      .toLowerCase()
      .replace(base === 16 ? /^([-+]?)0x/ : base === 8 ? /^([-+]?)0o/ : base === 2 ? /^([-+]?)0b/ : /^$/, "$1");
    if (base === 10 && /^[-+]?\d+$/.test(digits)) return BigInt(digits.replace("+", ""));
    const parsed = base === 10 ? Number.NaN : Number.parseInt(digits, base);
    if (/^[-+]?[\da-z]+$/.test(digits) && Number.isInteger(parsed)) return BigInt(parsed);
  }
  const number = parseFloatText(value);
  return number !== undefined && Number.isFinite(number) ? BigInt(Math.trunc(number)) : undefined;
}

function parseFloatText(value: Value): number | undefined {
  if (value instanceof Undefined) value.fail();
  if (isNumber(value)) return Number(value);
  if (typeof value !== "string") return undefined;
  const text = strip(value).replaceAll("_", "");
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text)) return Number(text);
  const special = /^([-+]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (!special) return undefined;
  return special[2]!.toLowerCase() === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
}
