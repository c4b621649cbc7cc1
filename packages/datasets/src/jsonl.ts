import { isFloat } from "@kto/core";
import type { DataRow } from "./dataset.js";

/** True for what `{…}` in JSON becomes, as long as JavaScript keeps the order of its keys. */
export function isObject(value: unknown): value is DataRow {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map) && !isFloat(value);
}
