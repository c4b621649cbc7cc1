import { spend, spendText } from "./budget.js";
import { hashable, Tuple, type Value } from "./values.js";

/** What equal values share, and others do not: `1`, `1.0` and `true` are one, and so are tuples of equal items. For a `Map` or `Set` of JavaScript. */
export type Hash = Exclude<Value, Tuple | boolean>;

const ids = new WeakMap<object, number>();
let lastId = 0;

/** The hash of a value that a dict or set may hold. Throws Python's TypeError. */
export function hashOf(value: Value): Hash {
  spend(1);
  const key = hashable(value);
  if (typeof key === "boolean" || (typeof key === "number" && Number.isInteger(key))) return BigInt(key);
  // No text of a template starts with this: a string's own hash keeps the letter twice.
  if (key instanceof Tuple) return `\0t${key.items.map(itemText).join(",")}`;
  return typeof key === "string" && key.startsWith("\0") ? `\0${key}` : key;
}

/** A hash as text, for tuples. */
function itemText(item: Value): string {
  const hash = hashOf(item);
  if (typeof hash === "string") {
    spendText(hash.length);
    return `s${hash.length}:${hash}`;
  }
  return typeof hash === "object" && hash !== null ? `#${idOf(hash)}` : `${typeof hash === "bigint" ? "" : "f"}${String(hash)}`;
}

function idOf(object: object): number {
  let id = ids.get(object);
  if (id === undefined) ids.set(object, (id = ++lastId));
  return id;
}
