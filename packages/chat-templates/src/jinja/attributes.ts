import { spendItems } from "./budget.js";
import { equal, keyIn } from "./operators.js";
import { represent, toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { method } from "./signature.js";
import { stringMethod } from "./string-methods.js";
import { characters, textLength, textSlice } from "./text.js";
import { Callable, PyObject, rangeOf, toIndex, Tuple, typeName, Undefined, type Value, View } from "./values.js";

/** Methods that change their object: the sandbox of transformers refuses them. */
const MUTATORS: Readonly<Record<string, ReadonlySet<string>>> = {
  list: new Set(["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"]),
  dict: new Set(["clear", "pop", "popitem", "setdefault", "update"]),
};

/** `object.name`: a method or attribute first, then the key of a dict; `Undefined` where there is neither. */
export function getAttribute(object: Value, name: string): Value {
  if (object instanceof Undefined) object.fail();
  const own = ownAttribute(object, name);
  if (own !== undefined) return own;
  const item = dictItem(object, name);
  return item === undefined ? missingAttribute(object, name) : item;
}

/** `object[index]`: an item first, then, for a string, the attribute of that name; `Undefined` where there is neither. */
export function getItem(object: Value, index: Value): Value {
  if (object instanceof Undefined) object.fail();
  const item = object instanceof Map ? dictItem(object, index) : sequenceItem(object, index);
  if (item !== undefined) return item;
  if (typeof index === "string") {
    const own = ownAttribute(object, index);
    return own === undefined ? missingAttribute(object, index) : own;
  }
  return new Undefined(`${describeType(object)} has no element ${represent(index)}`);
}

/** `object[start:stop:step]` of a string, list, tuple or range. Throws Python's TypeError and ValueError. */
export function getSlice(object: Value, start: Value, stop: Value, step: Value): Value {
  if (object instanceof Undefined) object.fail();
  if (object instanceof Map) typeError("unhashable type: 'slice'");
  const length = sequenceLength(object);
  if (length === undefined) return typeError(`'${typeName(object)}' object is not subscriptable`);
  const { from, to, stride } = sliceBounds(length, start, stop, step);
  if (typeof object === "string" && stride === 1) return textSlice(object, from, Math.max(from, to));
  if (object instanceof View && object.bounds) {
    const [first, , apart] = object.bounds;
    return rangeOf(first + from * apart, first + to * apart, stride * apart);
  }
  const items = sequenceItems(object)!;
  const chosen: Value[] = [];
  spendItems(Math.max(0, Math.ceil((to - from) / stride)));
  for (let index = from; stride > 0 ? index < to : index > to; index += stride) chosen.push(items[index]!);
  if (typeof object === "string") return chosen.map(toText).join("");
  return object instanceof Tuple ? new Tuple(chosen) : chosen;
}

function sliceBounds(length: number, start: Value, stop: Value, step: Value): { from: number; to: number; stride: number } {
  const stride = step === null ? 1 : sliceBound(step);
  if (stride === 0) throw new PythonError("ValueError", "slice step cannot be zero");
  const [low, high] = stride > 0 ? [0, length] : [-1, length - 1];
  const clamp = (value: Value, fallback: number): number => {
    if (value === null) return fallback;
    const index = sliceBound(value);
    return Math.min(high, Math.max(low, index < 0 ? index + length : index));
  };
  return { from: clamp(start, stride > 0 ? low : high), to: clamp(stop, stride > 0 ? high : low), stride };
}

function sliceBound(value: Value): number {
  if (value instanceof Undefined) value.fail();
  if (typeof value !== "bigint" && typeof value !== "boolean")
    typeError("slice indices must be integers or None or have an __index__ method");
  return Number(value);
}

function dictItem(object: Value, key: Value): Value | undefined {
  if (!(object instanceof Map)) return undefined;
  if (Array.isArray(key) || key instanceof Map) return undefined;
  return object.get(keyIn(object, key));
}

function sequenceLength(object: Value): number | undefined {
  return typeof object === "string" ? textLength(object) : sequenceItems(object)?.length;
}

function sequenceItems(object: Value): Value[] | undefined {
  if (typeof object === "string") return characters(object);
  if (Array.isArray(object)) return object;
  if (object instanceof Tuple) return object.items;
  return object instanceof View && object.typeName === "range" ? object.items : undefined;
}

function sequenceItem(object: Value, index: Value): Value | undefined {
  if (typeof index !== "bigint" && typeof index !== "boolean") return undefined;
  const at = toIndex(index);
  if (typeof object !== "string") return sequenceItems(object)?.at(at);
  const length = textLength(object);
  const start = at < 0 ? at + length : at;
  return start >= 0 && start < length ? textSlice(object, start, start + 1) : undefined;
}

/** An attribute that Python's `getattr` would find. */
function ownAttribute(object: Value, name: string): Value | undefined {
  if (name.startsWith("__")) return unsafe(object, name);
  if (MUTATORS[typeName(object)]?.has(name)) return unsafe(object, name);
  if (typeof object === "string") return stringMethod(object, name);
  if (Array.isArray(object)) return listMethod(object, name);
  if (object instanceof Map) return dictMethod(object, name);
  if (object instanceof Tuple) {
    const at = object.names.indexOf(name);
    return at === -1 ? listMethod(object.items, name) : object.items[at];
  }
  if (object instanceof PyObject) return object.attribute(name);
  return object instanceof Callable && name === "name" ? object.name : undefined;
}

function unsafe(object: Value, name: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe.`, "SecurityError");
}

function missingAttribute(object: Value, name: string): Undefined {
  return new Undefined(`'${describeType(object)}' has no attribute '${name}'`);
}

function describeType(object: Value): string {
  return object === null ? "None" : `${typeName(object)} object`;
}

function listMethod(items: Value[], name: string): Callable | undefined {
  if (name === "count") return method(name, ["value"], 1, (value) => BigInt(items.filter((item) => equal(item, value!)).length));
  if (name === "copy") return method(name, [], 0, () => (spendItems(items.length), [...items]));
  if (name !== "index") return undefined;
  return method(name, ["value"], 1, (value) => {
    const at = items.findIndex((item) => equal(item, value!));
    if (at === -1) throw new PythonError("ValueError", `${represent(value!)} is not in list`);
    return BigInt(at);
  });
}

function dictMethod(dict: Map<Value, Value>, name: string): Callable | undefined {
  switch (name) {
    case "get":
      return method(name, ["key", "default"], 1, (key, fallback = null) => {
        const value = dict.get(keyIn(dict, key!));
        return value === undefined ? fallback : value;
      });
    case "keys":
      return method(name, [], 0, () => (spendItems(dict.size), new View("dict_keys", [...dict.keys()])));
    case "values":
      return method(name, [], 0, () => (spendItems(dict.size), new View("dict_values", [...dict.values()])));
    case "items":
      return method(name, [], 0, () => new View("dict_items", dictItems(dict)));
    case "copy":
      return method(name, [], 0, () => (spendItems(dict.size, 48), new Map(dict)));
  }
  return undefined;
}

/** The `(key, value)` pairs of a dict. */
export function dictItems(dict: ReadonlyMap<Value, Value>): Tuple[] {
  spendItems(dict.size, 64);
  return Array.from(dict, (pair) => new Tuple(pair));
}
