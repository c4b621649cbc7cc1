import { isFloat } from "@kto/core";
import type { DataRow } from "./dataset.js";

/** True for what `{…}` in JSON becomes: an object, or a `Map` where JavaScript would not keep the order of its keys. */
export function isObject(value: unknown): value is DataRow {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isFloat(value);
}
