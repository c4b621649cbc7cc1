import { floatText, isFloat } from "./float.js";

/**
 * A value as JSON, in one line, with all that `parseJson` keeps: floats as Python writes them (`25.0`), every digit of a bigint, a `Map` as an object in
 * its order. Otherwise as `JSON.stringify` (`toJSON` is asked, fields without a value are left out, NaN and the infinities are null, so that any reader takes
 * it), but arrays of a type are lists. Throws RangeError for values that hold themselves.
 */
export function stringifyJson(value: unknown): string {
  return written(value) ?? "null";
}

function written(value: unknown): string | undefined {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && Number.isFinite(value) && !Number.isInteger(value)) return floatText(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isFloat(value)) return Number.isFinite(value.valueOf()) ? value.toString() : "null";
  if ("toJSON" in value && typeof value.toJSON === "function") return written(value.toJSON());
  if (value instanceof Map) return members(value as Map<unknown, unknown>);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    return `[${Array.from(value as ArrayLike<unknown>, stringifyJson).join(",")}]`;
  }
  const primitive: unknown = value.valueOf(); // of a boxed one
  if (typeof primitive !== "object") return written(primitive);
  return members(Object.entries(value));
}

function members(entries: Iterable<[unknown, unknown]>): string {
  const parts: string[] = [];
  for (const [key, value] of entries) {
    const text = written(value);
    if (text !== undefined) parts.push(`${JSON.stringify(String(key))}:${text}`);
  }
  return `{${parts.join(",")}}`;
}
