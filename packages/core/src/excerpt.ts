import { isFloat } from "./json/float.js";

/** Letters of a value that fit into a message. */
const maxLetters = 60;

/** Levels that a short text of a value can show: each takes a letter at least. */
const maxDepth = maxLetters;

/**
 * A short text of any value, for a message: JSON where the value is JSON, else the nearest to it. It never fails and never visits more than it shows,
 * however deep, long or circular the value is, and whatever its getters do. Lone surrogates are escaped.
 */
export function excerpt(value: unknown, maxLength: number = maxLetters): string {
  const room = { left: maxLength + 1 };
  try {
    return shorten(written(value, room, 0), maxLength);
  } catch {
    return `a value of type ${typeof value}`;
  }
}

/** The start of a text, for a message, as it is: one line, at most `maxLength` letters of it, with lone surrogates escaped. */
export function shorten(text: string, maxLength: number = maxLetters): string {
  if (text.length <= maxLength) return wellFormed(text);
  const end = /[\ud800-\udbff]/.test(text[maxLength - 1]!) ? maxLength - 1 : maxLength; // no half of a pair
  return `${wellFormed(text.slice(0, end))}…`;
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
}

/** Writes until there is no room left; `room` is what all levels share. */
function written(value: unknown, room: { left: number }, depth: number): string {
  if (room.left <= 0) return "";
  if (typeof value === "string") return take(JSON.stringify(value.slice(0, room.left)), room);
  if (typeof value === "bigint") return take(value.toString(), room);
  if (typeof value === "symbol") return take(value.toString(), room);
  if (typeof value === "function") return take("a function", room);
  if (value === null || typeof value !== "object") return take(String(value), room);
  if (isFloat(value)) return take(value.toString(), room);
  if (depth >= maxDepth) return take("…", room);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return list(value as unknown as ArrayLike<unknown>, room, depth);
  if (Array.isArray(value)) return list(value, room, depth);
  return fields(value, room, depth);
}

function take(text: string, room: { left: number }): string {
  room.left -= text.length;
  return text;
}

function list(items: ArrayLike<unknown>, room: { left: number }, depth: number): string {
  let text = take("[", room);
  for (let index = 0; index < items.length && room.left > 0; index++) {
    text += take(index === 0 ? "" : ",", room) + written(items[index], room, depth + 1);
  }
  return text + take("]", room);
}

function fields(value: object, room: { left: number }, depth: number): string {
  let text = take("{", room);
  for (const [key, item] of entriesOf(value)) {
    if (room.left <= 0) break;
    text += take(text === "{" ? "" : ",", room) + written(typeof key === "string" ? key : String(key), room, depth + 1);
    text += take(":", room) + written(item, room, depth + 1);
  }
  return text + take("}", room);
}

function* entriesOf(value: object): Iterable<[unknown, unknown]> {
  if (value instanceof Map) {
    yield* value as Map<unknown, unknown>;
    return;
  }
  for (const key in value) if (Object.hasOwn(value, key)) yield [key, (value as Record<string, unknown>)[key]];
}
