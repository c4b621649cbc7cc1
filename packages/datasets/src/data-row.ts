import { isFloat } from "@kto/core";
import type { DataRow } from "./dataset.js";

/** True for what `{…}` in JSON becomes: an object, or a `Map` where JavaScript would not keep the order of its keys. */
export function isObject(value: unknown): value is DataRow {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isFloat(value);
}

/** Gives a row a value of a column, whatever its name: `__proto__` is a column as any other. */
export function setColumn(row: DataRow, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
  else row[name] = value;
}
