import { z } from "zod";

/** How the text of a flag becomes a value. */
export type FieldKind = "boolean" | "number" | "text" | "booleanOrText" | "list" | "words" | "map" | "memory";

/** One field of a config: what it may be, what it is when nobody says, and how a flag's text is read. */
export interface Field {
  kind: FieldKind;
  schema: z.ZodType;
  /** What is expected, in words, for messages. */
  expected: string;
  initial: unknown;
  /** Turns a value that the schema takes into the one that is used. */
  convert?(value: unknown): unknown;
}

type Bounds = { min?: number; above?: number; below?: number };

function orNull(field: Omit<Field, "initial">, initial: unknown): Field {
  return initial === null ? nullable({ ...field, initial }) : { ...field, initial };
}

/** The same field, where null is a value too. */
export function nullable(field: Field): Field {
  return { ...field, schema: field.schema.nullable(), expected: `${field.expected}, or null` };
}

/** An integer of at least `min`; `initial` null allows null. */
export function integer(min: number, initial: number | null): Field {
  return orNull(
    { kind: "number", schema: z.number().int().min(min).max(Number.MAX_SAFE_INTEGER), expected: `an integer of at least ${min}` },
    initial,
  );
}

/** A number within bounds; `initial` null allows null. */
export function number({ min, above, below }: Bounds, initial: number | null): Field {
  let schema = z.number();
  if (min !== undefined) schema = schema.min(min);
  if (above !== undefined) schema = schema.gt(above);
  if (below !== undefined) schema = schema.lt(below);
  const lower = above === undefined ? (min === undefined ? "a number" : `a number of at least ${min}`) : `a number above ${above}`;
  return orNull({ kind: "number", schema, expected: below === undefined ? lower : `${lower} and below ${below}` }, initial);
}

/** true or false; `initial` null allows null. */
export function boolean(initial: boolean | null): Field {
  return orNull({ kind: "boolean", schema: z.boolean(), expected: "true or false" }, initial);
}

/** Text that is not empty; `initial` null allows null. */
export function text(initial: string | null): Field {
  return orNull({ kind: "text", schema: z.string().min(1), expected: "text" }, initial);
}

/** One of some names; `initial` null allows null. */
export function choice(names: readonly string[], initial: string | null): Field {
  return orNull({ kind: "text", schema: z.enum(names as [string, ...string[]]), expected: `one of ${names.join(", ")}` }, initial);
}

/** A size in bytes, as a number or with a unit ("4GiB", "3500MB"); transformers' map of it by device index is taken too, for the one GPU there is. */
export function memorySize(initial: null): Field {
  return {
    kind: "memory",
    schema: z.unknown().refine((value) => value === null || memoryBytes(value) !== undefined),
    expected: 'a size such as "4GiB" or "3500MB", a number of bytes, a map such as {"0": "4GiB"}, or null',
    initial,
    convert: (value) => memoryBytes(value) ?? null,
  };
}

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  ki: 2 ** 10,
  m: 1e6,
  mi: 2 ** 20,
  g: 1e9,
  gi: 2 ** 30,
  t: 1e12,
  ti: 2 ** 40,
};

/** Bytes of "4GiB"; undefined for what is no size. Of a map, those of the GPU: nothing of a model is put into the host's memory or on its disk here. */
function memoryBytes(size: unknown): number | undefined {
  if (typeof size === "object" && size !== null) {
    const sizes = Object.entries(size).flatMap(([place, bytes]): unknown[] => (place === "cpu" || place === "disk" ? [] : [bytes]));
    return sizes.length === 1 && typeof sizes[0] !== "object" ? memoryBytes(sizes[0]) : undefined;
  }
  if (typeof size === "number") return size > 0 ? Math.floor(size) : undefined;
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmgt]?i?)b?\s*$/i.exec(String(size)) ?? [];
  const factor = unit === undefined ? undefined : unitBytes[unit.toLowerCase()];
  return digits === undefined || factor === undefined || Number(digits) === 0 ? undefined : Math.floor(Number(digits) * factor);
}

/** true, false, or one of some names. */
export function booleanOr(names: readonly string[], initial: boolean | string): Field {
  return {
    kind: "booleanOrText",
    schema: z.union([z.boolean(), z.enum(names as [string, ...string[]])]),
    expected: ["true", "false", ...names].join(" or "),
    initial,
  };
}

/** true, false, or any text; null for neither. */
export function booleanOrText(initial: boolean | null): Field {
  return {
    kind: "booleanOrText",
    schema: z.union([z.boolean(), z.string().min(1)]).nullable(),
    expected: "true, false or a folder",
    initial,
  };
}

/** A list of names, or one text; null for neither. */
export function names(initial: null): Field {
  return {
    kind: "list",
    schema: z.union([z.array(z.string().min(1)).min(1), z.string().min(1)]).nullable(),
    expected: "a list of names, one text, or null",
    initial,
  };
}

/** Shell patterns, each a word of its own; the flag may be repeated. Null for none. */
export function patterns(initial: null): Field {
  return {
    kind: "words",
    schema: z.array(z.string().min(1)).min(1).nullable(),
    expected: "shell patterns such as *.json",
    initial,
  };
}

/** A map; null for none. */
export function map(initial: null): Field {
  return { kind: "map", schema: z.record(z.string(), z.unknown()).nullable(), expected: "a map (as a flag: its JSON), or null", initial };
}

/** The value that a flag's text stands for; text that is no such value is kept, so that the schema can name it. */
export function readFlag({ kind, schema }: Field, given: string | boolean | readonly string[]): unknown {
  if (typeof given === "boolean") return given;
  if (kind === "words") return typeof given === "string" ? [given] : given;
  if (kind === "list") return readList(typeof given === "string" ? [given] : given);
  const word = (typeof given === "string" ? given : given.join(" ")).trim();
  if (/^(null|none)$/i.test(word) && schema.safeParse(null).success) return null;
  if (kind === "boolean" || kind === "booleanOrText") {
    if (/^(true|yes|1)$/i.test(word)) return true;
    if (/^(false|no|0)$/i.test(word)) return false;
    return word;
  }
  if (kind === "number") return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
  if (kind === "memory") return word.startsWith("{") ? (readJson(word) ?? word) : word;
  if (kind === "map") return readJson(word) ?? word;
  return word;
}

/** Names from `["q_proj", "v_proj"]`, from `q_proj v_proj`, or one text that is an expression or `all-linear`. */
export function readList(words: readonly string[]): unknown {
  const joined = words.join(" ").trim();
  if (/^(null|none)$/i.test(joined)) return null;
  if (joined.startsWith("[") && joined.endsWith("]")) {
    const parsed = readJson(joined);
    if (Array.isArray(parsed)) return parsed;
  }
  const parts = joined.split(/\s+/).filter((part) => part !== "");
  if (parts.length === 1 && (parts[0] === "all-linear" || /[\\^$*+?()[\]|]/.test(parts[0]!))) return parts[0];
  return parts;
}

function readJson(word: string): unknown {
  try {
    return JSON.parse(word) as unknown;
  } catch {
    return undefined;
  }
}
