import { spendReading } from "./budget.js";
import { toFloat } from "./operators.js";
import { truncated } from "./percent-format.js";
import { MAX_DIGITS, parseDigits } from "./printing.js";
import { PythonError } from "./python-error.js";
import { strip } from "./text.js";
import { isNumber, Undefined, type Value } from "./values.js";

const FLOAT = /^[-+]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[-+]?\d(?:_?\d)*)?$/i;
const SPECIAL = /^([-+]?)(inf(?:inity)?|nan)$/i;
const INTEGER = /^([-+]?)(?:0([xob])(?=\w)_?)?([\da-z](?:_?[\da-z])*)$/i;
const BASES: Readonly<Record<string, number>> = { x: 16, o: 8, b: 2 };

/** `int(value, base)`, then `int(float(value))`; undefined where Python has neither. Throws Python's OverflowError for infinity. */
export function parseInteger(value: Value, base: number): bigint | undefined {
  if (value instanceof Undefined) value.fail();
  if (typeof value === "boolean" || typeof value === "bigint") return BigInt(value);
  if (typeof value === "number") return Number.isNaN(value) ? undefined : truncated(value);
  if (typeof value !== "string") return undefined;
  const integer = integerOf(value, base);
  if (integer !== undefined) return integer;
  const number = parseFloatText(value);
  return number !== undefined && Number.isFinite(number) ? BigInt(Math.trunc(number)) : undefined;
}

/** The integer that a text writes in a base from 2 to 36; base 0 goes by the prefix. */
function integerOf(text: string, base: number): bigint | undefined {
  spendReading(text.length, true);
  const parts = readInteger(strip(text), base);
  if (!parts) return undefined;
  const { sign, digits, radix } = parts;
  try {
    const prefix = { 2: "0b", 8: "0o", 10: "", 16: "0x" }[radix];
    const size = prefix === undefined ? digitByDigit(digits, radix) : parseDigits(prefix + digits);
    return sign === "-" ? -size : size;
  } catch (error) {
    if (error instanceof PythonError || error instanceof SyntaxError) return undefined; // too long, or a digit that the base has not
    throw error;
  }
}

function readInteger(text: string, base: number): { sign: string; digits: string; radix: number } | undefined {
  if (base !== 0 && (base < 2 || base > 36)) return undefined;
  const match = INTEGER.exec(text);
  if (!match) return undefined;
  const [, sign = "", mark, rest = ""] = match;
  const marked = mark === undefined ? undefined : BASES[mark.toLowerCase()];
  if (marked !== undefined && (base === 0 || base === marked)) return { sign, digits: rest.replaceAll("_", ""), radix: marked };
  const digits = text.slice(sign.length).replaceAll("_", "");
  if (base === 0 && /^0+[1-9a-z]/i.test(digits)) return undefined;
  return { sign, digits, radix: base === 0 ? 10 : base };
}

function digitByDigit(digits: string, radix: number): bigint {
  if (digits.length > MAX_DIGITS) throw new SyntaxError("too long");
  let value = 0n;
  for (const digit of digits) {
    const step = Number.parseInt(digit, radix);
    if (Number.isNaN(step)) throw new SyntaxError("no digit");
    value = value * BigInt(radix) + BigInt(step);
  }
  return value;
}

/** `float(value)`; undefined where Python raises. */
export function parseFloatText(value: Value): number | undefined {
  if (value instanceof Undefined) value.fail();
  if (isNumber(value)) return toFloat(value);
  if (typeof value !== "string") return undefined;
  spendReading(value.length, true);
  const text = strip(value);
  if (FLOAT.test(text)) return Number(text.replaceAll("_", ""));
  const special = SPECIAL.exec(text);
  if (!special) return undefined;
  return special[2]!.toLowerCase() === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
}
