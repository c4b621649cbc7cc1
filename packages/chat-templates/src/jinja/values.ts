import { isFloat } from "@kto/core";
import { spend, spendItems } from "./budget.js";
import { expectDepth } from "./nesting.js";
import { PythonError, typeError } from "./python-error.js";
import { characters, textLength } from "./text.js";

/**
 * A value as templates see it, after Python: `None` is null, `int` bigint, `float` number, `str` string, `list` an array,
 * `dict` a Map; the rest are the classes below.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Value[]
  | Map<Value, Value>
  | Tuple
  | View
  | Generator
  | Undefined
  | Callable
  | PyObject;

/** A `tuple`; `names` are those of a named one, as `groupby` makes. */
export class Tuple {
  constructor(
    readonly items: Value[],
    readonly names: string[] = [],
  ) {}
}

/** What `dict.keys()`, `dict.values()`, `dict.items()` and `range()` give: a length and items; `bounds` are start, stop and step of a range. */
export class View {
  constructor(
    readonly typeName: "dict_keys" | "dict_values" | "dict_items" | "range",
    readonly items: Value[],
    readonly bounds?: readonly [start: number, stop: number, step: number] | undefined,
  ) {}
}

/** What `map`, `select` and other lazy filters give: true whatever it holds, without a length, empty once read. */
export class Generator {
  private taken = 0;

  constructor(private items: Value[]) {}

  take(): Value[] {
    const { items, taken } = this;
    this.items = [];
    this.taken = 0;
    return taken === 0 ? items : items.slice(taken);
  }

  takeFirst(): Value | undefined {
    return this.items[this.taken++];
  }
}

/** A name, key or result that is not there: prints as nothing, is false, holds nothing, and refuses everything else. */
export class Undefined {
  constructor(
    readonly reason: string,
    readonly errorType: string = "UndefinedError",
  ) {}

  fail(): never {
    throw new PythonError(this.errorType, this.reason);
  }
}

export type Keywords = ReadonlyMap<string, Value>;

/** A function, method or macro. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: Value[], keywords: Keywords) => Value,
  ) {}
}

/** An object with attributes: a namespace, `loop`, `cycler`, `joiner`. Calling one calls its `call`. */
export class PyObject {
  constructor(
    readonly typeName: string,
    readonly attribute: (name: string) => Value | undefined,
    readonly call?: (args: Value[], keywords: Keywords) => Value,
  ) {}
}

/** `namespace(…)`: the one object whose attributes a template may set. Throws transformers' SecurityError for names that start with `_`. */
export class Namespace extends PyObject {
  constructor(readonly attributes: Map<string, Value>) {
    super("TemplateNamespace", (name) => attributes.get(name));
    for (const name of attributes.keys()) expectOpenName(name);
  }

  set(name: string, value: Value): void {
    expectOpenName(name);
    this.attributes.set(name, value);
  }
}

function expectOpenName(name: string): void {
  if (!name.startsWith("_")) return;
  throw new PythonError(
    "SecurityError",
    `Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'. Please rename the attribute.`,
  );
}

/** `range(start, stop, step)`. */
export function rangeOf(start: number, stop: number, step: number): View {
  const length = Math.max(0, Math.ceil((stop - start) / step));
  spendItems(length, 24);
  const items = Array.from({ length }, (_, index) => BigInt(start + index * step));
  return new View("range", items, [start, stop, step]);
}

/** Python's name of a value's type. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "dict";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof View || value instanceof PyObject) return value.typeName;
  if (value instanceof Generator) return "generator";
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Callable) return "function";
  return { boolean: "bool", bigint: "int", number: "float", string: "str" }[typeof value as "boolean" | "bigint" | "number" | "string"];
}

export function truthy(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (value instanceof Tuple || value instanceof View) return value.items.length > 0;
  if (value instanceof Undefined) return false;
  return Boolean(value) || Number.isNaN(value); // NaN is no zero
}

/** The items of anything a template can loop over, for a reader of all of them; throws Python's TypeError. */
export function iterate(value: Value): Value[] {
  if (typeof value === "string") return characters(value);
  const items = itemsOf(value) ?? typeError(`'${typeName(value)}' object is not iterable`);
  spend(items.length >>> 2);
  return items;
}

function itemsOf(value: Value): Value[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) {
    spendItems(value.size);
    return [...value.keys()];
  }
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Generator) return value.take();
  return value instanceof Undefined ? [] : undefined;
}

/** `len(value)`; throws Python's TypeError. */
export function lengthOf(value: Value): number {
  if (
    value === null ||
    typeof value === "boolean" ||
    typeof value === "bigint" ||
    typeof value === "number" ||
    value instanceof Generator
  ) {
    typeError(`object of type '${typeName(value)}' has no len()`);
  }
  if (typeof value === "string") return textLength(value);
  if (value instanceof Map) return value.size;
  return itemsOf(value)?.length ?? typeError(`object of type '${typeName(value)}' has no len()`);
}

/** True for what Python counts as a number: `bool` too. */
export function isNumber(value: Value): value is boolean | bigint | number {
  return typeof value === "boolean" || typeof value === "bigint" || typeof value === "number";
}

/** A value that a dict or set can hold. Throws Python's TypeError for others. */
export function hashable(value: Value): Value {
  const isSetView = value instanceof View && (value.typeName === "dict_keys" || value.typeName === "dict_items");
  if (Array.isArray(value) || value instanceof Map || isSetView) typeError(`unhashable type: '${typeName(value)}'`);
  return value;
}

/** An integer JavaScript can count with; throws Python's TypeError for other values. */
export function toIndex(value: Value): number {
  if (typeof value === "boolean" || typeof value === "bigint") return Number(value);
  if (value instanceof Undefined) value.fail();
  return typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
}

/**
 * A JavaScript value as a template value. Whole numbers that JavaScript holds exactly become `int`, other numbers and a `Float` of `@kto/core` `float`;
 * keys whose value is `undefined` are left out. Dates and bytes become their type's name, `<datetime>`, as in transformers: a template
 * sees that something is there, and not what. Throws Python's TypeError for functions and symbols.
 */
export function fromJs(input: unknown, depth = 0): Value {
  switch (typeof input) {
    case "string":
    case "boolean":
    case "bigint":
      return input;
    case "number":
      return Number.isSafeInteger(input) && !Object.is(input, -0) ? BigInt(input) : input;
    case "object":
      return input === null ? null : objectFromJs(input, depth + 1);
  }
  return typeError(`a ${typeof input} cannot be given to a template`);
}

function objectFromJs(input: object, depth: number): Value {
  expectDepth("levels", depth);
  if (Array.isArray(input)) return input.map((item: unknown) => (item === undefined ? null : fromJs(item, depth)));
  if (isFloat(input)) return input.valueOf();
  const dict = new Map<Value, Value>();
  if (input instanceof Map) {
    for (const [key, value] of input as Map<unknown, unknown>) dict.set(fromJs(key, depth), fromJs(value, depth));
    return dict;
  }
  const placeholder = placeholderOf(input);
  if (placeholder !== undefined) return placeholder;
  for (const key of Object.keys(input)) {
    const value = (input as Record<string, unknown>)[key];
    if (value !== undefined) dict.set(key, fromJs(value, depth));
  }
  return dict;
}

/** What transformers puts in place of an object that is no JSON. */
function placeholderOf(input: object): string | undefined {
  if (input instanceof Date) return "<datetime>";
  if (input instanceof Set) return "<set>";
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return "<bytes>";
  return ArrayBuffer.isView(input) ? "<ndarray>" : undefined;
}
