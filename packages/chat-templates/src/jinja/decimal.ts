import { spend } from "./budget.js";

/** Integers from here on take long to write in decimal. */
const LONG_INTEGER: bigint = 1n << 1024n;
/** Steps for the longest that operators make. */
const LONG_INTEGER_STEPS = 20_000;

/** A float has no more digits behind its point than the smallest one. */
const MAX_PLACES = 1074;
const view = new DataView(new ArrayBuffer(8));

/** The exact decimal value of a finite float without its sign: `digits / 10^scale`. */
function exactDecimal(value: number): { digits: bigint; scale: number } {
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  const exponent = Math.max(1, biased) - 1075;
  if (exponent >= 0) return { digits: mantissa << BigInt(exponent), scale: 0 };
  return { digits: mantissa * 5n ** BigInt(-exponent), scale: -exponent };
}

/** `numerator / 10^power`, rounded to the nearest integer, halves to the even one. */
function dividedByTen(numerator: bigint, power: number): bigint {
  if (power <= 0) return numerator * 10n ** BigInt(-power);
  const unit = 10n ** BigInt(power);
  const whole = numerator / unit;
  const twice = (numerator % unit) * 2n;
  return twice > unit || (twice === unit && whole % 2n === 1n) ? whole + 1n : whole;
}

/** `'%.{places}f' % value` of a finite float without its sign: exact, halves to even, with as many digits as are asked for. */
export function fixedText(value: number, places: number): string {
  const { digits, scale } = exactDecimal(value);
  const shown = Math.min(places, MAX_PLACES);
  const text = dividedByTen(digits, scale - shown)
    .toString()
    .padStart(shown + 1, "0");
  const whole = text.slice(0, text.length - shown);
  return places === 0 ? whole : `${whole}.${text.slice(text.length - shown)}${"0".repeat(places - shown)}`;
}

/** The first `count` digits of a finite float without its sign, rounded, and the power of ten of the first one. */
function leadingDigits(value: number, count: number): { text: string; exponent: number } {
  if (value === 0) return { text: "0".repeat(count), exponent: 0 };
  const { digits, scale } = exactDecimal(value);
  const all = digits.toString();
  const exponent = all.length - 1 - scale;
  const text = count >= all.length ? all + "0".repeat(count - all.length) : dividedByTen(digits, all.length - count).toString();
  return text.length > count ? { text: text.slice(0, count), exponent: exponent + 1 } : { text, exponent };
}

/** `'%.{places}e' % value` of a finite float without its sign. */
export function exponentialText(value: number, places: number): string {
  const { text, exponent } = leadingDigits(value, places + 1);
  return `${text[0]}${places > 0 ? `.${text.slice(1)}` : ""}${exponentText(exponent)}`;
}

function exponentText(exponent: number): string {
  return `e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** `'%.{precision}g' % value` of a finite float without its sign; with `keepZeros` (`#`) zeros at the end stay. */
export function generalText(value: number, precision: number, keepZeros: boolean): string {
  const count = Math.max(1, precision);
  const { exponent } = leadingDigits(value, count);
  const [text, end] =
    exponent < -4 || exponent >= count
      ? [exponentialText(value, count - 1).replace(/e.*/, ""), exponentText(exponent)]
      : [fixedText(value, count - 1 - exponent), ""];
  const point = text.indexOf(".");
  if (keepZeros) return point === -1 ? `${text}.${end}` : text + end;
  if (point === -1) return text + end;
  let last = text.length;
  while (text[last - 1] === "0") last--;
  return text.slice(0, last - 1 === point ? point : last) + end;
}

/** `round(value, places)` of a Python float: exact decimal value, halves to even. */
export function roundFloat(value: number, places: number): number {
  if (!Number.isFinite(value) || places > MAX_PLACES) return value;
  const { digits, scale } = exactDecimal(value);
  const size = places < -400 ? 0 : Number(`${dividedByTen(digits, scale - places)}e${-places}`);
  return value < 0 || Object.is(value, -0) ? -size : size;
}

/** `round(value, places)` of a Python integer. */
export function roundInteger(value: bigint, places: number): bigint {
  if (places >= 0) return value;
  const size = value < 0n ? -value : value;
  if (size > LONG_INTEGER) spend(LONG_INTEGER_STEPS);
  if (-places > size.toString().length) return 0n;
  const rounded = dividedByTen(size, -places) * 10n ** BigInt(-places);
  return value < 0n ? -rounded : rounded;
}
