import { floatText } from "@kto/core";
import { spend, spendItems, spendReading, spendText } from "./budget.js";
import { ordering } from "./operators.js";
import { integerText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { joinTexts, padding } from "./string-methods.js";
import { replaceEach } from "./text.js";
import { Tuple, typeName, type Value } from "./values.js";

export interface JsonOptions {
  /** Spaces per level, or the text itself; null writes one line. */
  indent: string | null;
  itemSeparator: string;
  keySeparator: string;
  ensureAscii: boolean;
  sortKeys: boolean;
}

/** `json.dumps` as the `tojson` of transformers calls it: key order kept, nothing escaped for HTML. Throws Python's TypeError. */
export function toJson(value: Value, options: JsonOptions, indentation = "\n"): string {
  spend(2);
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return integerText(value);
  if (typeof value === "number") return numberText(value);
  if (typeof value === "string") return quote(value, options.ensureAscii);
  const inner = options.indent === null ? "" : indentation + options.indent;
  const outer = options.indent === null ? "" : indentation;
  const wrap = (open: string, items: string[], close: string): string => {
    spend(6); // its items' texts are gathered and joined: as much work as several expressions
    spendText(inner.length + outer.length);
    return items.length === 0 ? open + close : open + inner + joinTexts(items, options.itemSeparator + inner) + outer + close;
  };
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    return wrap(
      "[",
      items.map((item) => toJson(item, options, inner)),
      "]",
    );
  }
  if (value instanceof Map) {
    spendItems(2 * value.size, 48);
    const entries = [...value];
    if (options.sortKeys) entries.sort(([a], [b]) => ordering("<", a, b));
    return wrap(
      "{",
      entries.map(([key, item]) => quote(keyText(key), options.ensureAscii) + options.keySeparator + toJson(item, options, inner)),
      "}",
    );
  }
  return typeError(`Object of type ${typeName(value)} is not JSON serializable`);
}

/** A float, with the words that JSON has not and Python writes. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return floatText(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

function keyText(key: Value): string {
  if (typeof key === "string") return key;
  if (key === null || typeof key === "boolean") return String(key);
  if (typeof key === "bigint") return integerText(key);
  if (typeof key === "number") return numberText(key);
  return typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\f": "\\f",
  "\b": "\\b",
};

const PLAIN = /^[ !#-[\]-~]*$/;

function quote(text: string, ensureAscii: boolean): string {
  spendText(text.length);
  spendReading(text.length);
  if (PLAIN.test(text)) return `"${text}"`;
  spendReading(text.length, true);
  const pattern = ensureAscii ? /["\\\x00-\x1f\x7f-\uffff]/g : /["\\\x00-\x1f]/g;
  return `"${replaceEach(text, pattern, (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
}

function indentWidth(indent: Value): number {
  if (typeof indent === "bigint" || typeof indent === "boolean") return Number(indent);
  return typeError(`can't multiply sequence by non-int of type '${typeName(indent)}'`);
}

/** The options `tojson(…)` was given, as `json.dumps` reads them. Throws Python's ValueError and TypeError. */
export function jsonOptions(ensureAscii: boolean, indent: Value, separators: Value, sortKeys: boolean): JsonOptions {
  const indentText = indent === null ? null : typeof indent === "string" ? indent : padding(" ", indentWidth(indent));
  let itemSeparator = indentText === null ? ", " : ",";
  let keySeparator = ": ";
  if (separators !== null) {
    const pair = separators instanceof Tuple ? separators.items : separators;
    if (!Array.isArray(pair) || pair.length !== 2) throw new PythonError("ValueError", "separators must be a pair of strings");
    [itemSeparator, keySeparator] = pair.map((part) => (typeof part === "string" ? part : typeError("separators must be strings"))) as [
      string,
      string,
    ];
  }
  return { indent: indentText, itemSeparator, keySeparator, ensureAscii, sortKeys };
}
