import { floatText } from "@kto/core";
import { spend, spendItems, spendReading, spendText } from "./budget.js";
import { PythonError } from "./python-error.js";
import { replaceEach } from "./text.js";
import { Callable, Generator, Namespace, Tuple, Undefined, View, type Value } from "./values.js";

/** Most digits of an integer that Python prints, and reads in a base that is no power of two. */
export const MAX_DIGITS = 4300;
const TOO_LONG: bigint = 10n ** BigInt(MAX_DIGITS);
const MINUS_TOO_LONG: bigint = -TOO_LONG;
/** Integers that are printed without a look at their length. */
const SHORT: bigint = 1n << 64n;
const MINUS_SHORT: bigint = -SHORT;

/** `str(value)`: how a value is printed. */
export function toText(value: Value): string {
  return typeof value === "string" ? value : value instanceof Undefined ? "" : represent(value);
}

/** `repr(value)`: how a value is printed inside a list, tuple or dict. */
export function represent(value: Value): string {
  spend(1);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return integerText(value);
  if (typeof value === "number") return floatText(value);
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return listText("[", value, "]");
  if (value instanceof Map) return dictText(value);
  if (value instanceof Tuple) return listText("(", value.items, value.items.length === 1 ? ",)" : ")");
  if (value instanceof View) {
    if (!value.bounds) return listText(`${value.typeName}([`, value.items, "])");
    const [start, stop, step] = value.bounds;
    return `range(${start}, ${stop}${step === 1 ? "" : `, ${step}`})`;
  }
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Generator) return "<generator object>";
  if (value instanceof Namespace) return `<Namespace ${dictText(value.attributes)}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  return `<${value.typeName} object>`;
}

/** `str` of an integer. Throws Python's ValueError for one of more than 4,300 digits. */
export function integerText(value: bigint): string {
  if (value < SHORT && value > MINUS_SHORT) return value.toString();
  if (value >= TOO_LONG || value <= MINUS_TOO_LONG) {
    throw new PythonError(
      "ValueError",
      `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit`,
    );
  }
  spendText(MAX_DIGITS);
  return value.toString();
}

/** The integer that digits write, with `_` between them. Throws Python's ValueError for more than 4,300 digits. */
export function parseDigits(digits: string): bigint {
  const plain = digits.replaceAll("_", "");
  if (plain.length > MAX_DIGITS && /^[-+]?\d/.test(plain)) {
    throw new PythonError(
      "ValueError",
      `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion: value has ${plain.replace(/^[-+]/, "").length} digits; use sys.set_int_max_str_digits() to increase the limit`,
    );
  }
  return BigInt(plain);
}

function listText(open: string, items: readonly Value[], close: string): string {
  spendItems(items.length);
  const text = items.map(represent).join(", ");
  spendText(text.length);
  return open + text + close;
}

function dictText(dict: ReadonlyMap<Value, Value>): string {
  spendItems(dict.size);
  const text = Array.from(dict, ([key, item]) => `${represent(key)}: ${represent(item)}`).join(", ");
  spendText(text.length);
  return `{${text}}`;
}

const PLAIN = /^[ !#-&(-[\]-~]*$/;
/** What a quoted text may have to write otherwise. */
const SPECIAL = /['\\\p{C}]|(?! )\p{Z}/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { "'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quote(text: string): string {
  spendText(text.length);
  spendReading(text.length);
  if (PLAIN.test(text)) return `'${text}'`;
  spendReading(text.length, true);
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = replaceEach(text, SPECIAL, (character) => {
    if (character === "'" && mark === '"') return character;
    return SHORT_ESCAPES[character] ?? escapeCode(character.codePointAt(0)!);
  });
  return mark + escaped + mark;
}

function escapeCode(code: number): string {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** `ascii(value)` from `repr(value)`. */
export function ascii(text: string): string {
  return replaceEach(text, /[^\x00-\x7f]/gu, (character) => escapeCode(character.codePointAt(0)!));
}
