import { isFloat } from "@kto/core";
import { PythonError, typeError } from "./python-error.js";

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
  private items: Value[];

  constructor(items: Value[]) {
    this.items = items;
  }

  take(): Value[] {
    const { items } = this;
    this.items = [];
    return items;
  }

  takeFirst(): Value | undefined {
    return this.items.shift();
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

/** `namespace(…)`: the one object whose attributes a template may set. */
export class Namespace extends PyObject {
  constructor(readonly attributes: Map<string, Value>) {
    super("Namespace", (name) => attributes.get(name));
  }
}

/** `range(start, stop, step)`. */
export function rangeOf(start: number, stop: number, step: number): View {
  const length = Math.max(0, Math.ceil((stop - start) / step));
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
  return Boolean(value);
}

/** A string as Python indexes it: by code points. */
export function characters(text: string): string[] {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text.split("");
}

/** The items of anything a template can loop over; throws Python's TypeError. */
export function iterate(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  if (typeof value === "string") return characters(value);
  if (value instanceof Map) return [...value.keys()];
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Generator) return value.take();
  if (value instanceof Undefined) return [];
  return typeError(`'${typeName(value)}' object is not iterable`);
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
  if (value instanceof Map) return value.size;
  if (value instanceof Callable || value instanceof PyObject) typeError(`object of type '${typeName(value)}' has no len()`);
  return iterate(value).length;
}

/** True for what Python counts as a number: `bool` too. */
export function isNumber(value: Value): value is boolean | bigint | number {
  return typeof value === "boolean" || typeof value === "bigint" || typeof value === "number";
}

/** The key under which a dict keeps a value: 1 and 1.0 are one. Throws Python's TypeError for what cannot be one. */
export function dictKey(value: Value): Value {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
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
 * keys whose value is `undefined` are left out. Throws Python's TypeError for functions, symbols and class instances.
 */
export function fromJs(input: unknown): Value {
  switch (typeof input) {
    case "string":
    case "boolean":
    case "bigint":
      return input;
    case "number":
      return Number.isSafeInteger(input) && !Object.is(input, -0) ? BigInt(input) : input;
    case "object": {
      if (input === null) return null;
      if (isFloat(input)) return input.valueOf();
      if (Array.isArray(input)) return input.map((item) => (item === undefined ? null : fromJs(item)));
      if (input instanceof Map) return new Map([...input].map(([key, value]) => [fromJs(key), fromJs(value)]));
      const entries = Object.entries(input).filter(([, value]) => value !== undefined);
      return new Map(entries.map(([key, value]) => [key, fromJs(value)]));
    }
  }
  return typeError(`a ${typeof input} cannot be given to a template`);
}
