import type { BinaryOperator, ComparisonOperator } from "./ast.js";
import { percentFormat } from "./percent-format.js";
import { PythonError, typeError } from "./python-error.js";
import { characters, dictKey, isNumber, iterate, Tuple, typeName, Undefined, type Value, View } from "./values.js";

/** Longest string or list that `*` may make: a template that asks for more is broken or hostile. */
const MAX_REPEATED = 100_000_000;
/** Largest integer power, in bits, for the same reason. */
const MAX_POWER_BITS = 100_000;

/** `left operator right`, with Python's types, results and errors. */
export function binary(operator: BinaryOperator, left: Value, right: Value): Value {
  if (left instanceof Undefined) left.fail();
  if (operator === "%" && typeof left === "string") return percentFormat(left, right);
  if (right instanceof Undefined) right.fail();
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, left, right);
  if (operator === "+") {
    if (typeof left === "string" && typeof right === "string") return left + right;
    if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items]);
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

function repeat(sequence: Value, times: Value): Value | undefined {
  if (typeof times !== "bigint" && typeof times !== "boolean") return undefined;
  const items = Array.isArray(sequence) ? sequence : sequence instanceof Tuple ? sequence.items : undefined;
  if (items === undefined && typeof sequence !== "string") return undefined;
  const count = Math.max(0, Number(times));
  if ((items ?? (sequence as string)).length * count > MAX_REPEATED)
    throw new PythonError("MemoryError", `more than ${MAX_REPEATED} items by repetition`);
  if (items === undefined) return (sequence as string).repeat(count);
  const result: Value[] = [];
  for (let time = 0; time < count; time++) result.push(...items);
  return sequence instanceof Tuple ? new Tuple(result) : result;
}

function arithmetic(operator: BinaryOperator, left: boolean | bigint | number, right: boolean | bigint | number): Value {
  if (typeof left !== "number" && typeof right !== "number") return integerArithmetic(operator, BigInt(left), BigInt(right));
  const a = Number(left);
  const b = Number(right);
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
  return operator === "%" ? modulo : Math.round((a - modulo) / b) || zeroLike(a / b);
}

function integerArithmetic(operator: BinaryOperator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "**":
      if (b < 0n) return power(Number(a), Number(b));
      if (b * BigInt(a.toString(2).length) > MAX_POWER_BITS)
        throw new PythonError("OverflowError", `power of more than ${MAX_POWER_BITS} bits`);
      return a ** b;
  }
  if (b === 0n) throw new PythonError("ZeroDivisionError", operator === "/" ? "division by zero" : "integer division or modulo by zero");
  if (operator === "/") return Number(a) / Number(b);
  const remainder = a % b;
  const modulo = remainder !== 0n && remainder < 0n !== b < 0n ? remainder + b : remainder;
  return operator === "%" ? modulo : (a - modulo) / b;
}

/** Zero with the sign of a number. */
function zeroLike(number: number): number {
  return number < 0 || Object.is(number, -0) ? -0 : 0;
}

function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw new PythonError("ZeroDivisionError", "0.0 cannot be raised to a negative power");
  return a ** b;
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
  if (isNumber(left) && isNumber(right)) return ordering("==", left, right) === 0;
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

/** The key under which a dict keeps a value, or would: equal tuples are one key, and so are 1 and true. Throws Python's TypeError. */
export function keyIn(dict: ReadonlyMap<Value, Value>, value: Value): Value {
  const key = dictKey(value);
  const mayEqualOthers = key instanceof Tuple || typeof key === "boolean" || key === 0n || key === 1n;
  return mayEqualOthers ? ([...dict.keys()].find((other) => equal(other, key)) ?? key) : key;
}

/** A dict of pairs, the last of equal keys with the place of the first. Throws Python's TypeError. */
export function dictOf(pairs: Iterable<readonly [Value, Value]>): Map<Value, Value> {
  const dict = new Map<Value, Value>();
  for (const [key, value] of pairs) dict.set(keyIn(dict, key), value);
  return dict;
}

/** `item in container`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") {
    if (typeof item !== "string") typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return container.includes(item);
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
  if (left === right) return 0;
  const a = characters(left);
  const b = characters(right);
  const at = a.findIndex((character, index) => character !== b[index]);
  if (at === -1) return -1;
  if (at >= b.length) return 1;
  return a[at]!.codePointAt(0)! - b[at]!.codePointAt(0)!;
}
