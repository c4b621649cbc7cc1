import { floatText } from "@kto/core";
import { Callable, Generator, Namespace, Tuple, Undefined, View, type Value } from "./values.js";

/** `str(value)`: how a value is printed. */
export function toText(value: Value): string {
  return typeof value === "string" ? value : value instanceof Undefined ? "" : represent(value);
}

/** `repr(value)`: how a value is printed inside a list, tuple or dict. */
export function represent(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return floatText(value);
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return `[${value.map(represent).join(", ")}]`;
  if (value instanceof Map) return dictText(value);
  if (value instanceof Tuple)
    return value.items.length === 1 ? `(${represent(value.items[0]!)},)` : `(${value.items.map(represent).join(", ")})`;
  if (value instanceof View) {
    if (!value.bounds) return `${value.typeName}([${value.items.map(represent).join(", ")}])`;
    const [start, stop, step] = value.bounds;
    return `range(${start}, ${stop}${step === 1 ? "" : `, ${step}`})`;
  }
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Generator) return "<generator object>";
  if (value instanceof Namespace) return `<Namespace ${dictText(value.attributes)}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  return `<${value.typeName} object>`;
}

function dictText(dict: ReadonlyMap<Value, Value>): string {
  return `{${[...dict].map(([key, item]) => `${represent(key)}: ${represent(item)}`).join(", ")}}`;
}

const UNPRINTABLE = /[\p{C}\p{Z}]/u;

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let result = mark;
  for (const character of text) {
    if (character === mark || character === "\\") result += `\\${character}`;
    else if (character === "\n") result += "\\n";
    else if (character === "\r") result += "\\r";
    else if (character === "\t") result += "\\t";
    else if (character !== " " && UNPRINTABLE.test(character)) result += escapeCode(character.codePointAt(0) ?? 0);
    else result += character;
  }
  return result + mark;
}

function escapeCode(code: number): string {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}
