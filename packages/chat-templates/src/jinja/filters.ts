import { getAttribute } from "./attributes.js";
import { spend, spendItems, spendReading, spendText } from "./budget.js";
import { roundFloat, roundInteger } from "./decimal.js";
import { type Filter, filter } from "./filter.js";
import { jsonOptions, toJson } from "./json.js";
import { listFilters } from "./list-filters.js";
import { parseFloatText, parseInteger } from "./numbers.js";
import { binary } from "./operators.js";
import { percentFormat, truncated } from "./percent-format.js";
import { toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { unpacked } from "./unpack.js";
import { joinTexts, pad, padding, replace } from "./string-methods.js";
import { capitalize, replaceEach, splitLines, strip, textLength, textSlice } from "./text.js";
import { isNumber, iterate, toIndex, truthy, Tuple, typeName, Undefined, type Value } from "./values.js";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", ">": "&gt;", "<": "&lt;", "'": "&#39;", '"': "&#34;" };

const escapeHtml = (input: Value): Value => {
  const text = given(input);
  return replaceEach(text, /[&<>'"]/g, (mark) => ENTITIES[mark]!);
};
/** The text that a filter is given, paid for as what it will make of it. */
const given = (input: Value): string => {
  const text = toText(input);
  spendText(text.length);
  spendReading(text.length, true);
  return text;
};
const defaultTo = (input: Value, fallback: Value = "", boolean: Value = false): Value =>
  input instanceof Undefined || (truthy(boolean) && !truthy(input)) ? fallback : input;

const textFilters: [string, Filter][] = [
  filter("upper", [], (input) => given(input).toUpperCase()),
  filter("lower", [], (input) => given(input).toLowerCase()),
  filter("capitalize", [], (input) => capitalize(given(input))),
  filter("title", [], (input) =>
    replaceEach(given(input), /[^-\s({[<]+/g, (word) => {
      const first = String.fromCodePoint(word.codePointAt(0)!);
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
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
    const indentation = typeof width === "string" ? width : padding(" ", toIndex(width));
    const [head = "", ...rest] = splitLines(`${toText(input)}\n`);
    spendText(indentation.length * rest.length);
    const tail = rest.map((line) => (line !== "" || truthy(blank) ? indentation + line : line));
    return (truthy(first) ? indentation : "") + joinTexts([head, ...tail], "\n");
  }),
  filter("truncate", ["length", "killwords", "end", "leeway"], (input, length = 255n, killwords = false, end = "...", leeway = 5n) => {
    const text = given(input);
    if (textLength(text) <= toIndex(length) + toIndex(leeway)) return text;
    const cut = textSlice(text, 0, Math.max(0, toIndex(length) - textLength(toText(end))));
    const space = cut.lastIndexOf(" ");
    return (truthy(killwords) || space === -1 ? cut : cut.slice(0, space)) + toText(end);
  }),
  filter("wordcount", [], (input) => {
    let count = 0n;
    for (const _ of given(input).matchAll(/[\p{L}\p{N}_]+/gu)) {
      spend(1);
      count++;
    }
    return count;
  }),
  filter("urlencode", [], (input) => {
    if (typeof input === "string" || !(Array.isArray(input) || input instanceof Map)) return quoteUrl(toText(input));
    const pairs = input instanceof Map ? [...input] : iterate(input).map((pair) => unpacked(pair, 2) as [Value, Value]);
    spendItems(pairs.length);
    return joinTexts(
      pairs.map(([key, value]) => `${quoteUrl(toText(key))}=${quoteUrl(toText(value))}`.replaceAll("/", "%2F").replaceAll("%20", "+")),
      "&",
    );
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
    if (method !== "common" && method !== "ceil" && method !== "floor")
      throw new PythonError("FilterArgumentError", "method must be common, ceil or floor");
    const places = toIndex(precision);
    if (method === "common") {
      if (!isNumber(input)) typeError(`type ${typeName(input)} doesn't define __round__ method`);
      return typeof input === "number" ? roundFloat(input, places) : roundInteger(BigInt(input), places);
    }
    const unit = binary("**", 10n, BigInt(places));
    const large = binary("*", input, unit);
    if (!isNumber(large)) typeError(`must be real number, not ${typeName(large)}`);
    return binary("/", typeof large === "number" ? truncated(Math[method](large)) : large, unit);
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

/** A text as UTF-8 in the letters of an address. Throws Python's UnicodeEncodeError. */
function quoteUrl(text: string): string {
  spendText(3 * text.length);
  spendReading(text.length, true);
  const lone = /\p{Surrogate}/u.exec(text);
  if (lone) {
    const shown = `\\u${lone[0].charCodeAt(0).toString(16)}`;
    throw new PythonError(
      "UnicodeEncodeError",
      `'utf-8' codec can't encode character '${shown}' in position ${textLength(text.slice(0, lone.index))}: surrogates not allowed`,
    );
  }
  return encodeURIComponent(text)
    .replace(/[!*'()]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/");
}
