import { spendReading } from "./budget.js";
import { binary, compare, contains, equal } from "./operators.js";
import { toText } from "./printing.js";
import { typeError } from "./python-error.js";
import { FILTERS } from "./filters.js";
import { Callable, isNumber, PyObject, Tuple, Undefined, type Value, View } from "./values.js";

/** A test: its input and the arguments after its name. */
export type Test = (input: Value, args: Value[]) => boolean;

const matches = (value: Value, pattern: RegExp): boolean => {
  const text = toText(value);
  spendReading(text.length, true);
  return pattern.test(text);
};
const isText = (value: Value): boolean => typeof value === "string";
const remainder = (value: Value, divisor: Value): Value => binary("%", value, divisor);
const operand = (args: Value[]): Value => {
  const [first] = args;
  return first === undefined ? typeError("the test needs an argument") : first;
};
const canIterate = (value: Value): boolean =>
  !(value === null || isNumber(value) || value instanceof Callable || value instanceof PyObject);

const isEqual: Test = (input, args) => equal(input, operand(args));
const notEqual: Test = (input, args) => !equal(input, operand(args));
const less: Test = (input, args) => compare("<", input, operand(args));
const lessOrEqual: Test = (input, args) => compare("<=", input, operand(args));
const greater: Test = (input, args) => compare(">", input, operand(args));
const greaterOrEqual: Test = (input, args) => compare(">=", input, operand(args));

/** Every test a template may use after `is`, or name in `select`. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["defined", (input) => !(input instanceof Undefined)],
  ["undefined", (input) => input instanceof Undefined],
  ["none", (input) => input === null],
  ["boolean", (input) => typeof input === "boolean"],
  ["true", (input) => input === true],
  ["false", (input) => input === false],
  ["string", isText],
  ["number", isNumber],
  ["integer", (input) => typeof input === "bigint"],
  ["float", (input) => typeof input === "number"],
  ["mapping", (input) => input instanceof Map],
  [
    "sequence",
    (input) =>
      isText(input) ||
      Array.isArray(input) ||
      input instanceof Map ||
      input instanceof Tuple ||
      (input instanceof View && input.typeName === "range") ||
      input instanceof Undefined,
  ],
  ["iterable", canIterate],
  [
    "callable",
    (input) => input instanceof Callable || input instanceof Undefined || (input instanceof PyObject && input.call !== undefined),
  ],
  ["sameas", (input, args) => input === operand(args)],
  ["escaped", () => false],
  ["odd", (input) => equal(remainder(input, 2n), 1n)],
  ["even", (input) => equal(remainder(input, 2n), 0n)],
  ["divisibleby", (input, args) => equal(remainder(input, operand(args)), 0n)],
  ["lower", (input) => matches(input, /^(?=.*\p{Ll})[^\p{Lu}\p{Lt}]*$/su)],
  ["upper", (input) => matches(input, /^(?=.*\p{Lu})[^\p{Ll}\p{Lt}]*$/su)],
  ["in", (input, args) => contains(operand(args), input)],
  ["filter", (input) => FILTERS.has(toText(input))],
  ["test", (input) => TESTS.has(toText(input))],
  ["eq", isEqual],
  ["equalto", isEqual],
  ["==", isEqual],
  ["ne", notEqual],
  ["!=", notEqual],
  ["lt", less],
  ["lessthan", less],
  ["<", less],
  ["le", lessOrEqual],
  ["<=", lessOrEqual],
  ["gt", greater],
  ["greaterthan", greater],
  [">", greater],
  ["ge", greaterOrEqual],
  [">=", greaterOrEqual],
]);

/** Tests that compare their input with an argument; the others take none. */
export const TAKES_OPERAND: ReadonlySet<string> = new Set(
  "eq equalto == ne != lt lessthan < le <= gt greaterthan > ge >= sameas divisibleby in".split(" "),
);
