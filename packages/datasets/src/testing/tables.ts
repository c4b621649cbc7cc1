import { readdirSync, readFileSync } from "node:fs";
import { floatText, isFloat } from "@kto/core";
import { ForeignValue } from "../tables/foreign-value.js";

const folder = new URL("../../../testing/fixtures/tables/", import.meta.url);

/** A file of the fixtures of tables. */
export function tableFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, folder)));
}

/** A folder of the fixtures of tables, as files by their path. */
export function tableFolder(name: string): Record<string, Uint8Array> {
  const paths = readdirSync(new URL(`${name}/`, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const root = new URL(`${name}/`, folder).pathname;
  return Object.fromEntries(
    paths.map((entry) => [
      `${entry.parentPath}/${entry.name}`.slice(root.length).replace(/^\//, ""),
      new Uint8Array(readFileSync(`${entry.parentPath}/${entry.name}`)),
    ]),
  );
}

/** The rows that Python reads, as `generate.py` tags them. */
export function tableValues(name: string): { dict: [string, unknown][] }[] {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as { dict: [string, unknown][] }[];
}

/**
 * A row as `generate.py` tags what Python reads. `like` says what cannot be told from a value: a column of floats gives plain numbers, and a time inside a
 * struct is text.
 */
export function tagged(row: object, like: { dict: [string, unknown][] }): { dict: [string, unknown][] } {
  const expected = new Map(like.dict);
  return { dict: Object.entries(row).map(([name, value]) => [name, tag(value, expected.get(name), true)]) };
}

function tag(value: unknown, like: unknown, top: boolean): unknown {
  const hint = (like ?? {}) as { float?: string; str?: string; dict?: [unknown, unknown][] };
  if (value instanceof ForeignValue) return { str: value.text };
  if (typeof value === "bigint") return { int: String(value) };
  if (isFloat(value)) return { float: floatText(value.valueOf()) };
  if (typeof value === "number")
    return (top && hint.float !== undefined) || !Number.isInteger(value) ? { float: floatText(value) } : { int: String(value) };
  if (typeof value === "string") return !top && hint.str !== undefined ? { str: value } : value;
  if (Array.isArray(value)) return value.map((item, index) => tag(item, (like as unknown[] | null)?.[index], false));
  if (value === null || typeof value !== "object") return value;
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  if (entries.length === 0 && Array.isArray(like)) return []; // pyarrow gives an empty map as an empty list
  return { dict: entries.map(([key, item], index) => [tag(key, undefined, false), tag(item, hint.dict?.[index]?.[1], false)]) };
}
