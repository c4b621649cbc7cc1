/** Names whose order or meaning an object of JavaScript would change: indices come first, and `__proto__` is none of its keys. */
const UNUSUAL_NAME = /^(?:0|[1-9]\d*|__proto__)$/;

/** True if an object cannot hold values under these names in this order, so that a `Map` does. */
export function needsMap(names: readonly string[]): boolean {
  return names.some((name) => UNUSUAL_NAME.test(name));
}

/** A struct of the values, one for each name, in their order. */
export function record(names: readonly string[], values: readonly unknown[], asMap: boolean): object {
  if (asMap) return new Map(names.map((name, index) => [name, values[index]]));
  const fields: Record<string, unknown> = {};
  for (let index = 0; index < names.length; index++) fields[names[index]!] = values[index];
  return fields;
}

/** Keys and values of a map column, in the order of the file. A key that comes twice has its last value, as in Python. */
export function mapRecord(keys: readonly unknown[], values: readonly unknown[]): object {
  const names = keys.filter((key) => typeof key === "string");
  if (names.length === keys.length && !needsMap(names)) return record(names, values, false);
  return new Map(keys.map((key, index) => [key, values[index]]));
}
