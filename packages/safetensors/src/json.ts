import { excerpt } from "@kto/core";
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from "./limits.js";

/** A JSON value whose objects are maps, so `__proto__` is a key like any other and order is kept. */
export type JsonValue = null | boolean | number | string | JsonValue[] | Map<string, JsonValue>;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS = [["true", true], ["false", false], ["null", null]] as const; // prettier-ignore

/**
 * Parses untrusted JSON. Unlike `JSON.parse` it refuses a key that occurs twice in an object (readers disagree on which one counts),
 * nesting beyond `MAX_JSON_DEPTH` and more than `MAX_JSON_VALUES` values.
 *
 * @throws SyntaxError with the position; the caller says which file it was
 */
export function parseJson(text: string): JsonValue {
  let at = 0;
  let values = 0;

  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at}`);
  };
  const skipSpace = (): void => {
    for (let code = text.charCodeAt(at); code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b && code !== 0x0c);) {
      code = text.charCodeAt(++at);
    }
  };
  const take = (character: string): boolean => {
    skipSpace();
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };

  function parseString(): string {
    skipSpace();
    if (text[at] !== '"') fail("expected a string");
    const start = at;
    let escaped = false;
    for (at += 1; ; at += 1) {
      const code = text.charCodeAt(at); // NaN past the end
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        at += 1;
      } else if (!(code >= 0x20)) {
        fail(at < text.length ? "control character in a string" : "unterminated string");
      }
    }
    at += 1;
    const value = escaped ? (JSON.parse(text.slice(start, at)) as string) : text.slice(start + 1, at - 1);
    if (/\p{Surrogate}/u.test(value)) fail("lone surrogate in a string");
    return value;
  }

  function parseArray(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    if (take("]")) return items;
    do items.push(parseValue(depth));
    while (take(","));
    if (!take("]")) fail("expected , or ]");
    return items;
  }

  function parseObject(depth: number): Map<string, JsonValue> {
    const entries = new Map<string, JsonValue>();
    if (take("}")) return entries;
    do {
      const key = parseString();
      if (entries.has(key)) fail(`duplicate key ${excerpt(key, 120)}`);
      if (!take(":")) fail("expected :");
      entries.set(key, parseValue(depth));
    } while (take(","));
    if (!take("}")) fail("expected , or }");
    return entries;
  }

  function parseValue(depth: number): JsonValue {
    if (++values > MAX_JSON_VALUES) fail(`more than ${MAX_JSON_VALUES} values`);
    if (depth > MAX_JSON_DEPTH) fail(`nesting deeper than ${MAX_JSON_DEPTH}`);
    if (take("{")) return parseObject(depth + 1);
    if (take("[")) return parseArray(depth + 1);
    if (text[at] === '"') return parseString();
    for (const [literal, value] of LITERALS) {
      if (text.startsWith(literal, at)) {
        at += literal.length;
        return value;
      }
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text)?.[0] ?? fail("expected a value");
    at += number.length;
    return Number(number);
  }

  const value = parseValue(1);
  skipSpace();
  if (at < text.length) fail("characters after the value");
  return value;
}

/** Decodes UTF-8 and parses it; throws `SyntaxError` for both kinds of fault. A byte order mark counts as a fault. */
export function parseJsonBytes(bytes: Uint8Array): JsonValue {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SyntaxError("invalid UTF-8", { cause });
  }
  return parseJson(text);
}
