import { spend, spendText } from "./budget.js";
import { exponentialText, fixedText, generalText } from "./decimal.js";
import { toFloat } from "./operators.js";
import { ascii, integerText, represent, toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { textLength, textSlice } from "./text.js";
import { isNumber, Tuple, typeName, Undefined, type Value } from "./values.js";

const FLAGS = /[-+ #0]*/y;
const WIDTH = /\*|\d*/y;
const PRECISION = /(?:\.(\*|\d*))?/y;
/** What C has before a conversion, and Python ignores. */
const LENGTH = /[hlL]?/y;

/** A directive as it is written: `%(key)-5.2f`. */
interface Directive {
  flags: string;
  width: number;
  precision: number | undefined;
  conversion: string;
}

/** `format % values`: Python's old formatting, as the `format` filter uses it. Throws Python's TypeError, ValueError and OverflowError. */
export function percentFormat(format: string, values: Value): string {
  spendText(format.length);
  const items = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const next = (): Value => {
    const value = items[used++];
    return value === undefined ? typeError("not enough arguments for format string") : value;
  };
  let result = "";
  let position = 0;
  const read = (pattern: RegExp): string => {
    pattern.lastIndex = position;
    const [text = ""] = pattern.exec(format) ?? [];
    position += text.length;
    return text;
  };
  for (let at = format.indexOf("%"); at !== -1; at = format.indexOf("%", position)) {
    spend(1);
    result += format.slice(position, at);
    position = at + 1;
    if (format[position] === "%") {
      result += "%";
      position++;
      continue;
    }
    const key = format[position] === "(" ? readKey(format, position) : undefined;
    if (key !== undefined) position += key.length + 2;
    const flags = read(FLAGS);
    const width = readSize(read(WIDTH), "width", next);
    const precisionText = read(PRECISION);
    const precision = precisionText === "" ? undefined : readSize(precisionText.slice(1), "prec", next);
    read(LENGTH);
    const conversion = format[position++];
    if (conversion === undefined) throw new PythonError("ValueError", "incomplete format");
    const value = key === undefined ? next() : valueOf(values, key);
    const left = width < 0;
    const directive = { flags: left ? `${flags}-` : flags, width: Math.abs(width), precision, conversion };
    result += padded(convert(value, directive, position - 1), directive, isNumber(value));
  }
  if (used < items.length && !isMapping(values)) typeError("not all arguments converted during string formatting");
  return result + format.slice(position);
}

/** What Python takes for a mapping here, whose items need not all be used. */
function isMapping(values: Value): boolean {
  return values instanceof Map || Array.isArray(values) || values instanceof Undefined;
}

/** The text between the brackets at a position, which may hold brackets. */
function readKey(format: string, position: number): string {
  let depth = 0;
  for (let at = position; at < format.length; at++) {
    if (format[at] === "(") depth++;
    else if (format[at] === ")" && --depth === 0) {
      spend((at - position) >>> 3);
      return format.slice(position + 1, at);
    }
  }
  throw new PythonError("ValueError", "incomplete format key");
}

function valueOf(values: Value, key: string): Value {
  if (!(values instanceof Map)) typeError("format requires a mapping");
  const value = values.get(key);
  if (value === undefined) throw new PythonError("KeyError", represent(key));
  return value;
}

function readSize(text: string, name: "width" | "prec", next: () => Value): number {
  const given = text === "*" ? next() : text;
  if (typeof given !== "string" && typeof given !== "bigint" && typeof given !== "boolean") typeError("* wants int");
  const size = Number(given);
  if (Math.abs(size) > 2 ** 31 - 1) throw new PythonError("ValueError", name === "width" ? "width too big" : "precision too big");
  return name === "prec" ? Math.max(0, size) : size;
}

function padded(text: string, { flags, width }: Directive, isNumeric: boolean): string {
  const padding = width === 0 ? 0 : Math.max(0, width - textLength(text));
  spendText(text.length + padding);
  if (padding === 0) return text;
  if (flags.includes("-")) return text + " ".repeat(padding);
  if (!flags.includes("0") || !isNumeric) return " ".repeat(padding) + text;
  return text.replace(/^[-+ ]?(?:0[xXo])?/, (start) => start + "0".repeat(padding));
}

function convert(value: Value, { flags, precision, conversion }: Directive, at: number): string {
  switch (conversion) {
    case "s":
    case "r":
    case "a": {
      const text = conversion === "s" ? toText(value) : conversion === "r" ? represent(value) : ascii(represent(value));
      return precision === undefined ? text : textSlice(text, 0, precision);
    }
    case "c":
      return character(value);
    case "d":
    case "i":
    case "u":
    case "x":
    case "X":
    case "o":
      return signed(isNegative(value), integerDigits(value, flags, precision ?? 0, conversion), flags);
    case "f":
    case "F":
    case "e":
    case "E":
    case "g":
    case "G": {
      if (!isNumber(value)) typeError(`must be real number, not ${typeName(value)}`);
      const number = toFloat(value);
      const text = floatDigits(number, flags, precision ?? 6, conversion.toLowerCase());
      return signed(number < 0 || Object.is(number, -0), conversion < "a" ? text.toUpperCase() : text, flags);
    }
  }
  const code = conversion.codePointAt(0)!.toString(16);
  throw new PythonError("ValueError", `unsupported format character '${conversion}' (0x${code}) at index ${at}`);
}

function isNegative(value: Value): boolean {
  return isNumber(value) && (typeof value === "number" ? value <= -1 : BigInt(value) < 0n);
}

function signed(negative: boolean, digits: string, flags: string): string {
  return (negative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "") + digits;
}

function integerDigits(value: Value, flags: string, precision: number, conversion: string): string {
  const decimal = conversion === "d" || conversion === "i" || conversion === "u";
  if (!isNumber(value)) typeError(`%${conversion} format: ${decimal ? "a real number" : "an integer"} is required, not ${typeName(value)}`);
  if (!decimal && typeof value === "number") typeError(`%${conversion} format: an integer is required, not float`);
  const integer = typeof value === "number" ? truncated(value) : BigInt(value);
  const size = integer < 0n ? -integer : integer;
  const digits = decimal ? integerText(size) : size.toString(conversion === "o" ? 8 : 16);
  spendText(precision);
  const text = (conversion === "X" ? digits.toUpperCase() : digits).padStart(precision, "0");
  return !decimal && flags.includes("#") ? `0${conversion}${text}` : text;
}

/** `int(value)` of a float. Throws Python's ValueError and OverflowError. */
export function truncated(value: number): bigint {
  if (Number.isNaN(value)) throw new PythonError("ValueError", "cannot convert float NaN to integer");
  if (!Number.isFinite(value)) throw new PythonError("OverflowError", "cannot convert float infinity to integer");
  return BigInt(Math.trunc(value));
}

function floatDigits(value: number, flags: string, precision: number, conversion: string): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : "inf";
  spendText(precision + 400);
  spend(20);
  const keepZeros = flags.includes("#");
  if (conversion === "g") return generalText(value, precision, keepZeros);
  const text = conversion === "f" ? fixedText(value, precision) : exponentialText(value, precision);
  return keepZeros && precision === 0 ? text.replace(/(?=e|$)/, ".") : text;
}

function character(value: Value): string {
  if (typeof value === "string" && textLength(value) === 1) return value;
  if (typeof value !== "bigint" && typeof value !== "boolean") typeError("%c requires int or char");
  const code = Number(value);
  if (!(code >= 0 && code <= 0x10ffff)) throw new PythonError("OverflowError", "%c arg not in range(0x110000)");
  return String.fromCodePoint(code);
}
