import * as z from "zod/mini";
import type { FieldType } from "./field.js";
import { readJson, readList } from "./read-value.js";

const name: z.ZodMiniType<string> = z.string().check(z.minLength(1));

/** An integer of at least `least`. */
export function integer(least: number): FieldType<number> {
  return { kind: "number", schema: z.int().check(z.minimum(least)), expected: `an integer of at least ${least}` };
}

/** A finite number within bounds. */
export function number({ least, above, below }: { least?: number; above?: number; below?: number } = {}): FieldType<number> {
  let schema = z.number();
  if (least !== undefined) schema = schema.check(z.gte(least));
  if (above !== undefined) schema = schema.check(z.gt(above));
  if (below !== undefined) schema = schema.check(z.lt(below));
  const lower = above !== undefined ? `a number above ${above}` : least !== undefined ? `a number of at least ${least}` : "a number";
  return { kind: "number", schema, expected: below === undefined ? lower : `${lower} and below ${below}` };
}

/** A number, or one of some names. */
export function numberOr<const Name extends string>(...names: readonly Name[]): FieldType<number | Name> {
  const schema = z.union([z.number(), z.enum(names as unknown as Record<Name, Name>)]);
  return { kind: "number", schema, expected: ["a number", ...names].join(" or ") };
}

/** true or false. */
export function boolean(): FieldType<boolean> {
  return { kind: "boolean", schema: z.boolean(), expected: "true or false" };
}

/** Text that is not empty. */
export function text(): FieldType<string> {
  return { kind: "text", schema: name, expected: "text" };
}

/** A path, or a name where something else than a path may stand: `~` at its beginning is the home folder. `expected` says what lies there. */
export function path(expected = "a path"): FieldType<string> {
  return { kind: "path", schema: name, expected };
}

/** One of some names; in files and flags in any case, or as Python spells the member of an enum: `SchedulerType.COSINE`. */
export function choice<const Name extends string>(names: readonly Name[]): FieldType<Name> {
  return {
    kind: "text",
    schema: z.enum(names as unknown as Record<Name, Name>),
    expected: `one of ${names.join(", ")}`,
    convert: (given) => nameMeant(names, given),
  };
}

/** The name that was meant; YAML 1.1 makes false of a bare `no`. What means none is given back as it is. */
function nameMeant(names: readonly string[], given: unknown): unknown {
  const text = given === false && names.includes("no") ? "no" : given;
  if (typeof text !== "string" || names.includes(text)) return text;
  const meant = text
    .trim()
    .replace(/^(?:[A-Za-z_]\w*\.)+/, "")
    .toLowerCase();
  return names.find((name) => name.toLowerCase() === meant) ?? given;
}

/** true, false, or one of some names. */
export function booleanOr<const Name extends string>(...names: readonly Name[]): FieldType<boolean | Name> {
  const schema = z.union([z.boolean(), z.enum(names as unknown as Record<Name, Name>)]);
  return { kind: "booleanOrText", schema, expected: ["true", "false", ...names].join(" or ") };
}

/** true, false, or an integer within bounds. */
export function booleanOrInteger(least: number, most: number): FieldType<boolean | number> {
  const whole = z.int().check(z.minimum(least), z.maximum(most));
  return { kind: "booleanOrText", schema: z.union([z.boolean(), whole]), expected: `true, false or an integer from ${least} to ${most}` };
}

/** true, false, or the path of a folder. */
export function booleanOrPath(): FieldType<boolean | string> {
  return { kind: "booleanOrText", schema: z.union([z.boolean(), name]), expected: "true, false or a folder" };
}

/** A list of at least one name, or one text (an expression, or a word that stands for several). */
export function names(expected = "a list of names, or one text"): FieldType<string | readonly string[]> {
  return {
    kind: "list",
    schema: z.union([z.array(name).check(z.minLength(1)), name]),
    expected,
    convert: (given) => (typeof given === "string" && given !== "" ? readList([given]) : given),
  };
}

/** Shell patterns, each a word of its own; the flag may be repeated. */
export function patterns(): FieldType<readonly string[]> {
  return { kind: "words", schema: z.array(name).check(z.minLength(1)), expected: "shell patterns such as *.json" };
}

/** A map from names to anything. */
export function map(): FieldType<Record<string, unknown>> {
  return {
    kind: "map",
    schema: z.record(z.string(), z.unknown()),
    expected: "a map (as a flag: its JSON)",
    convert: (given) => jsonThatBegins("{", given),
  };
}

/** What the JSON of a text stands for that begins so; anything else is given back as it is. */
function jsonThatBegins(opening: "{" | "[", given: unknown): unknown {
  return typeof given === "string" && given.trimStart().startsWith(opening) ? (readJson(given) ?? given) : given;
}

/** A map from names to values of one type. */
export function mapOf<Value>(of: FieldType<Value>, expected: string): FieldType<Readonly<Record<string, Value>>> {
  return { kind: "map", schema: z.record(z.string(), of.schema), expected };
}

/** A list of maps with these keys and no others; those that are not `required` may be left out, or null. An empty list is null. */
export function maps<Value extends object>(
  keys: { readonly [Key in keyof Value]-?: FieldType<NonNullable<Value[Key]>> },
  required: readonly (keyof Value)[],
  expected: string,
): FieldType<readonly Value[] | null> {
  const shape = Object.entries<FieldType<unknown>>(keys).map(([key, { schema }]) => [
    key,
    required.includes(key as keyof Value) ? schema : z.optional(z.nullable(schema)),
  ]);
  const one = z.strictObject(Object.fromEntries(shape) as Record<string, z.ZodMiniType>);
  return {
    kind: "map",
    schema: z.nullable(z.array(one).check(z.minLength(1))) as unknown as z.ZodMiniType<readonly Value[] | null>,
    expected: `${expected} (as a flag: its JSON), or null`,
    convert: (given) => {
      const read = jsonThatBegins("[", given);
      return Array.isArray(read) && read.length === 0 ? null : read;
    },
  };
}

/** One value, or a list of at least one. */
export function oneOrMore<Value>(of: FieldType<Value>, expected: string): FieldType<Value | readonly Value[]> {
  const isNumber = of.kind === "number";
  const item = (word: unknown): unknown => (isNumber && typeof word === "string" && Number.isFinite(Number(word)) ? Number(word) : word);
  return {
    kind: "list",
    schema: z.union([of.schema, z.array(of.schema).check(z.minLength(1))]),
    expected,
    convert: (given) => {
      const read = typeof given === "string" && given !== "" ? readList([given]) : given;
      return Array.isArray(read) ? read.map(item) : item(read);
    },
  };
}

/** The same, where null is a value too. */
export function orNull<Value>(type: FieldType<Value>): FieldType<Value | null> {
  const given = type.given && z.nullable(type.given);
  return { ...type, given, schema: z.nullable(type.schema), expected: `${type.expected}, or null` };
}

/** The same, with other words for what is expected. */
export function expecting<Value>(type: FieldType<Value>, expected: string): FieldType<Value> {
  return { ...type, expected };
}

/** The same, where more must hold than the schema can say. */
export function where<Value>(type: FieldType<Value>, holds: (value: Value) => boolean, expected: string): FieldType<Value> {
  return { ...type, schema: type.schema.check(z.refine(holds)), expected };
}
