import { floatText } from "@kto/core";
import { PythonError, typeError } from "./python-error.js";
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
  if (value === null) return "null";
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number")
    return Number.isFinite(value) ? floatText(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  if (typeof value === "string") return quote(value, options.ensureAscii);
  const inner = options.indent === null ? "" : indentation + options.indent;
  const outer = options.indent === null ? "" : indentation;
  const wrap = (open: string, items: string[], close: string): string =>
    items.length === 0 ? open + close : open + inner + items.join(options.itemSeparator + inner) + outer + close;
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    return wrap(
      "[",
      items.map((item) => toJson(item, options, inner)),
      "]",
    );
  }
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => [keyText(key), item] as const);
    if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return wrap(
      "{",
      entries.map(([key, item]) => quote(key, options.ensureAscii) + options.keySeparator + toJson(item, options, inner)),
      "}",
    );
  }
  return typeError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function keyText(key: Value): string {
  if (typeof key === "string") return key;
  if (key === null || typeof key === "boolean" || typeof key === "bigint") return String(key);
  if (typeof key === "number") return floatText(key);
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

function quote(text: string, ensureAscii: boolean): string {
  const pattern = ensureAscii ? /["\\\x00-\x1f\x7f-\uffff]/g : /["\\\x00-\x1f]/g;
  const escaped = text.replace(pattern, (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `"${escaped}"`;
}

/** The options `tojson(…)` was given, as `json.dumps` reads them. Throws Python's ValueError and TypeError. */
export function jsonOptions(ensureAscii: boolean, indent: Value, separators: Value, sortKeys: boolean): JsonOptions {
  const indentText = indent === null ? null : typeof indent === "string" ? indent : " ".repeat(Math.max(0, Number(indent)));
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
