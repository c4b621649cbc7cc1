import type { BinaryOperator, ComparisonOperator } from "./ast.js";
import { spend, spendItems, spendReading, spendText } from "./budget.js";
import { type Hash, hashOf } from "./hash.js";
import { percentFormat } from "./percent-format.js";
import { PythonError, typeError } from "./python-error.js";
import { indexOf } from "./search.js";
import { hashable, isNumber, iterate, Tuple, typeName, Undefined, type Value, View } from "./values.js";

/** Largest integer, in bits: a template that asks for more is broken or hostile. Python prints up to 14,284. */
const MAX_INTEGER_BITS = 100_000;
const MAX_INTEGER: bigint = 1n << BigInt(MAX_INTEGER_BITS);
const MIN_INTEGER: bigint = -MAX_INTEGER;
/** Integers from here on take more than a step to compute with. */
const SMALL_INTEGER: bigint = 1n << 64n;
const MINUS_SMALL_INTEGER: bigint = -SMALL_INTEGER;
/** Steps for two integers of the largest kind. */
const LARGE_INTEGER_STEPS = 2000;

/** `left operator right`, with Python's types, results and errors. */
export function binary(operator: BinaryOperator, left: Value, right: Value): Value {
  if (left instanceof Undefined) left.fail();
  if (operator === "%" && typeof left === "string") return percentFormat(left, right);
  if (right instanceof Undefined) right.fail();
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, left, right);
  if (operator === "+") {
    if (typeof left === "string" && typeof right === "string") {
      spendText(left.length + right.length);
      return left + right;
    }
    if (Array.isArray(left) && Array.isArray(right)) return joined(left, right);
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple(joined(left.items, right.items));
    if (typeof left === "string" || Array.isArray(left) || left instanceof Tuple) {
      const name = typeName(left);
      typeError(`can only concatenate ${name} (not "${typeName(right)}") to ${name}`);
    }
  }
  if (operator === "*") {
    const repeated = repeat(left, right) ?? repeat(right, left);
    if (repeated !== undefined) return repeated;
    const isSequence = (value: Value): boolean => typeof value === "string" || Array.isArray(value) || value instanceof Tuple;
    if (isSequence(left)) typeError(`can't multiply sequence by non-int of type '${typeName(right)}'`);
    if (isSequence(right)) typeError(`can't multiply sequence by non-int of type '${typeName(left)}'`);
  }
  const shown = operator === "**" ? "** or pow()" : operator;
  return typeError(`unsupported operand type(s) for ${shown}: '${typeName(left)}' and '${typeName(right)}'`);
}

function joined(left: Value[], right: Value[]): Value[] {
  spendItems(left.length + right.length);
  return left.concat(right);
}

function repeat(sequence: Value, times: Value): Value | undefined {
  if (typeof times !== "bigint" && typeof times !== "boolean") return undefined;
  const items = Array.isArray(sequence) ? sequence : sequence instanceof Tuple ? sequence.items : undefined;
  if (items === undefined && typeof sequence !== "string") return undefined;
  if (BigInt(times) >= 2n ** 63n) throw new PythonError("OverflowError", "cannot fit 'int' into an index-sized integer");
  const count = Math.max(0, Number(times));
  if (items === undefined) {
    const text = sequence as string;
    if (text === "") return "";
    spendText(text.length * count);
    return text.repeat(count);
  }
  if (items.length > 0) spendItems(items.length * count);
  const result: Value[] = [];
  for (let time = 0; time < count && items.length > 0; time++) for (const item of items) result.push(item);
  return sequence instanceof Tuple ? new Tuple(result) : result;
}

function arithmetic(operator: BinaryOperator, left: boolean | bigint | number, right: boolean | bigint | number): Value {
  if (typeof left !== "number" && typeof right !== "number") return integerArithmetic(operator, BigInt(left), BigInt(right));
  const a = toFloat(left);
  const b = toFloat(right);
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "**":
      return power(a, b);
  }
  if (b === 0)
    throw new PythonError(
      "ZeroDivisionError",
      operator === "/" ? "float division by zero" : operator === "//" ? "float floor division by zero" : "float modulo",
    );
  if (operator === "/") return a / b;
  const remainder = a % b;
  const modulo = remainder === 0 ? zeroLike(b) : remainder < 0 !== b < 0 ? remainder + b : remainder;
  if (operator === "%") return modulo;
  const whole = Math.round((a - modulo) / b);
  return whole === 0 ? zeroLike(a / b) : whole;
}

/** A number as a float. Throws Python's OverflowError. */
export function toFloat(value: boolean | bigint | number): number {
  const number = Number(value);
  if (typeof value === "bigint" && !Number.isFinite(number)) throw new PythonError("OverflowError", "int too large to convert to float");
  return number;
}

function isLarge(value: bigint): boolean {
  return value > SMALL_INTEGER || value < MINUS_SMALL_INTEGER;
}

function integerArithmetic(operator: BinaryOperator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return bounded(a + b);
    case "-":
      return bounded(a - b);
  }
  if (isLarge(a) || isLarge(b)) spend(LARGE_INTEGER_STEPS);
  switch (operator) {
    case "*":
      return bounded(a * b);
    case "**": {
      if (b < 0n) return power(toFloat(a), toFloat(b));
      if (a === 0n || a === 1n || a === -1n) return b === 0n ? 1n : b % 2n === 0n ? a * a : a;
      const bits = b * BigInt((a < 0n ? -a : a).toString(16).length * 4 - 3); // no more than it has
      if (bits > MAX_INTEGER_BITS) throw tooLarge();
      spend(LARGE_INTEGER_STEPS);
      return bounded(a ** b);
    }
  }
  if (b === 0n) throw new PythonError("ZeroDivisionError", operator === "/" ? "division by zero" : "integer division or modulo by zero");
  if (operator === "/") return quotient(a, b);
  const remainder = a % b;
  const modulo = remainder !== 0n && remainder < 0n !== b < 0n ? remainder + b : remainder;
  return operator === "%" ? modulo : (a - modulo) / b;
}

function bounded(value: bigint): bigint {
  if (!isLarge(value)) return value;
  spend(LARGE_INTEGER_STEPS / 10);
  if (value > MAX_INTEGER || value < MIN_INTEGER) throw tooLarge();
  return value;
}

function tooLarge(): PythonError {
  return new PythonError("OverflowError", `an integer of more than ${MAX_INTEGER_BITS} bits`);
}

/** `a / b` of integers as the nearest float, also where they have more digits than one. */
function quotient(a: bigint, b: bigint): number {
  const [x, y] = [Number(a), Number(b)];
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return x / y;
  const [top, bottom] = [a < 0n ? -a : a, b < 0n ? -b : b];
  // 66 significant bits with a last one that says whether there is more: rounding once more gives what rounding the exact quotient gives.
  const shift = BigInt(bitLength(bottom) - bitLength(top) + 66);
  const numerator = shift > 0n ? top << shift : top;
  const denominator = shift > 0n ? bottom : bottom << -shift;
  const digits = ((numerator / denominator) << 1n) | (numerator % denominator === 0n ? 0n : 1n);
  const size = scaled(digits, -Number(shift) - 1);
  if (!Number.isFinite(size)) throw new PythonError("OverflowError", "integer division result too large for a float");
  return a < 0n !== b < 0n ? -size : size;
}

function bitLength(value: bigint): number {
  return value.toString(16).length * 4;
}

/** `digits · 2^exponent`, rounded once where it is a normal number. */
function scaled(digits: bigint, exponent: number): number {
  if (exponent >= 0) return Number(digits << BigInt(exponent));
  const half = Math.trunc(exponent / 2);
  return Number(digits) * 2 ** half * 2 ** (exponent - half);
}

/** Zero with the sign of a number. */
function zeroLike(number: number): number {
  return number < 0 || Object.is(number, -0) ? -0 : 0;
}

function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw new PythonError("ZeroDivisionError", "0.0 cannot be raised to a negative power");
  if (a === 1 || (a === -1 && !Number.isFinite(b))) return 1; // also for NaN
  const result = a ** b;
  if (Number.isNaN(result) && a < 0 && !Number.isNaN(b))
    throw new PythonError("TypeError", "a power of a negative number that is complex cannot be rendered");
  if (!Number.isFinite(result) && !Number.isNaN(result) && Number.isFinite(a) && Number.isFinite(b))
    throw new PythonError("OverflowError", "(34, 'Numerical result out of range')");
  return result;
}

/** `left operator right` for the comparisons. */
export function compare(operator: ComparisonOperator, left: Value, right: Value): boolean {
  switch (operator) {
    case "==":
      return equal(left, right);
    case "!=":
      return !equal(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
  }
  const order = ordering(operator, left, right);
  if (Number.isNaN(order)) return false;
  return operator === "<" ? order < 0 : operator === "<=" ? order <= 0 : operator === ">" ? order > 0 : order >= 0;
}

/** `left == right`: numbers by value, containers by their contents, everything undefined alike. */
export function equal(left: Value, right: Value): boolean {
  if (typeof left === "string" && typeof right === "string") {
    if (left.length !== right.length) return false;
    spendReading(left.length);
    return left === right;
  }
  spend(1);
  if (isNumber(left) && isNumber(right)) return ordering("==", left, right) === 0;
  if (left === right) return true; // in Python too, whatever is inside: NaN equals itself in one and the same list
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, index) => equal(item, right[index]!));
  if (left instanceof Tuple && right instanceof Tuple) return equal(left.items, right.items);
  if (left instanceof View && right instanceof View) return equal(left.items, right.items);
  if (left instanceof Map && right instanceof Map) {
    return (
      left.size === right.size &&
      [...left].every(([key, item]) => {
        const other = right.get(keyIn(right, key));
        return other !== undefined && equal(item, other);
      })
    );
  }
  if (left instanceof Undefined && right instanceof Undefined) return true;
  return left === right;
}

/** The tuples among the keys of dicts, by their hash: a `Map` knows them by identity alone. Made where one is asked for. */
const tupleKeys = new WeakMap<ReadonlyMap<Value, Value>, Map<Hash, Tuple>>();

function tuplesOf(dict: ReadonlyMap<Value, Value>): Map<Hash, Tuple> {
  let tuples = tupleKeys.get(dict);
  if (!tuples) {
    spendItems(dict.size);
    tuples = new Map();
    for (const key of dict.keys()) if (key instanceof Tuple) tuples.set(hashOf(key), key);
    tupleKeys.set(dict, tuples);
  }
  return tuples;
}

/** The key under which a dict keeps a value, or would: equal tuples are one key, and so are 1, 1.0 and true. Throws Python's TypeError. */
export function keyIn(dict: ReadonlyMap<Value, Value>, value: Value): Value {
  const key = hashable(value);
  if (key instanceof Tuple) return tuplesOf(dict).get(hashOf(key)) ?? key;
  if (dict.has(key) || !isNumber(key)) return key;
  return numbersEqualTo(key).find((other) => dict.has(other)) ?? key;
}

/** The numbers of other types that are the same key: 1, 1.0 and true. */
function numbersEqualTo(key: boolean | bigint | number): Value[] {
  const float = Number(key);
  if (!Number.isInteger(float) || (typeof key === "bigint" && BigInt(float) !== key)) return [];
  return float === 0 || float === 1 ? [BigInt(float), float, float === 1] : [BigInt(float), float];
}

/** A dict of pairs, the last of equal keys with the place of the first. Throws Python's TypeError. */
export function dictOf(pairs: Iterable<readonly [Value, Value]>): Map<Value, Value> {
  const dict = new Map<Value, Value>();
  for (const [key, value] of pairs) {
    spendItems(1, 48);
    const own = keyIn(dict, key);
    if (own instanceof Tuple) tuplesOf(dict).set(hashOf(own), own);
    dict.set(own, value);
  }
  return dict;
}

/** `item in container`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") {
    if (typeof item !== "string") typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return indexOf(container, item) !== -1;
  }
  if (container instanceof Map) return container.has(keyIn(container, item));
  if (container === null || isNumber(container)) typeError(`argument of type '${typeName(container)}' is not iterable`);
  return iterate(container).some((candidate) => equal(candidate, item));
}

/** Below, at or above zero as left is before, with or after right; NaN where floats are unordered. Throws Python's TypeError. */
export function ordering(operator: string, left: Value, right: Value): number {
  if (isNumber(left) && isNumber(right)) {
    const a = typeof left === "boolean" ? Number(left) : left;
    const b = typeof right === "boolean" ? Number(right) : right;
    return a < b ? -1 : a > b ? 1 : a >= b ? 0 : Number.NaN;
  }
  if (typeof left === "string" && typeof right === "string") return compareText(left, right);
  const sequences = (Array.isArray(left) && Array.isArray(right)) || (left instanceof Tuple && right instanceof Tuple);
  if (sequences) {
    const a = iterate(left);
    const b = iterate(right);
    const at = a.findIndex((item, index) => index >= b.length || !equal(item, b[index]!));
    if (at === -1) return a.length - b.length;
    return at >= b.length ? 1 : ordering(operator, a[at]!, b[at]!);
  }
  if (left instanceof Undefined) left.fail();
  if (right instanceof Undefined) right.fail();
  return typeError(`'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`);
}

/** Order of two strings by code point, which for characters beyond U+FFFF is not JavaScript's. */
function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  spendReading(at, true);
  if (at === length) return left.length - right.length;
  const a = left.charCodeAt(at);
  const b = right.charCodeAt(at);
  // Halves of a pair stand for a code point past all others, and lie below U+E000.
  return isPairAt(left, at) === isPairAt(right, at) ? a - b : isPairAt(left, at) ? 1 : -1;
}

/** Whether the unit at an index is half of a character of two. */
function isPairAt(text: string, at: number): boolean {
  return text.codePointAt(at)! > 0xffff || (at > 0 && text.codePointAt(at - 1)! > 0xffff);
}
