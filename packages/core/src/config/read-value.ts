import { expandHome } from "../expand-home.js";
import type { FieldType } from "./field.js";

/** YAML 1.1's words for booleans, which Python reads so and YAML 1.2 does not. */
const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ...["true", "yes", "on", "y"].map((word) => [word, true] as const),
  ...["false", "no", "off", "n"].map((word) => [word, false] as const),
]);

/** The value that a flag's text stands for; text that is no such value is kept, so that a message can name it. */
export function readFlag(type: FieldType<unknown>, given: string | boolean | readonly string[]): unknown {
  const { kind, schema, hasNone = false } = type;
  if (typeof given === "boolean") return given;
  if (kind === "words") return typeof given === "string" ? [given] : given;
  if (kind === "list") return readList(typeof given === "string" ? [given] : given);
  const word = (typeof given === "string" ? given : given.join(" ")).trim();
  if ((hasNone ? /^null$/i : /^(null|none)$/i).test(word) && schema.safeParse(null).success) return null;
  if (kind === "number") return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
  if (kind === "booleanOrText" && word !== "" && schema.safeParse(Number(word)).success) return Number(word); // where a number may stand too
  if ((kind === "boolean" || kind === "booleanOrText") && /^[01]$/.test(word)) return word === "1";
  if (kind === "map" || (kind === "size" && word.startsWith("{"))) return readJson(word) ?? word;
  return word;
}

/** A value from a file or a flag as its field takes it: words for booleans, `~` in paths, lists in one text. `home` is the folder that `~` means. */
export function readValue({ kind, convert }: FieldType<unknown>, given: unknown, home?: string): unknown {
  if (typeof given === "string" && (kind === "boolean" || kind === "booleanOrText")) {
    const word = booleanWords.get(given.toLowerCase());
    if (word !== undefined) return word;
  }
  if (typeof given === "string" && home !== undefined && (kind === "path" || kind === "booleanOrText")) return expandHome(given, home);
  return convert ? convert(given) : given;
}

/**
 * Names from `["q_proj", "v_proj"]` or `['q_proj', 'v_proj']`, from `q_proj v_proj` or `q_proj, v_proj`, or one text that is an expression or
 * `all-linear`. One text without blanks that has a sign of a regular expression is one, commas and all.
 */
export function readList(words: readonly string[]): unknown {
  const joined = words.join(" ").trim();
  if (/^(null|none)$/i.test(joined)) return null;
  if (joined.startsWith("[") && joined.endsWith("]")) {
    const parsed = readJson(joined);
    if (Array.isArray(parsed)) return parsed;
    const inner = /^\[([\w\s.,'"-]*)\]$/.exec(joined)?.[1]; // a list as Python prints it, or YAML takes it
    if (inner !== undefined) return separated(inner).map((part) => part.replace(/^(['"])(.*)\1$/, "$2"));
  }
  if (!/\s/.test(joined) && /[\\^$*+?()[\]{}|]/.test(joined)) return joined;
  const parts = separated(joined);
  return parts.length === 1 && parts[0] === "all-linear" ? parts[0] : parts;
}

function separated(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part !== "");
}

/** The value of a flag that is no field: JSON where it is some, else its text. */
export function readUnknown(given: string | boolean | readonly string[]): unknown {
  if (typeof given !== "string") return given;
  if (/^none$/i.test(given)) return null;
  const parsed = readJson(given);
  return parsed === undefined ? given : parsed;
}

/** What a text is as JSON; undefined if it is none. */
export function readJson(word: string): unknown {
  try {
    return JSON.parse(word) as unknown;
  } catch {
    return undefined;
  }
}
