import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { z } from "zod";
import { ConfigError } from "../errors.js";
import { readFlag, readList, type Field } from "./field-types.js";
import { asksForNothing, ignoredFields, refusedFields } from "./foreign-fields.js";
import { nearest } from "./nearest.js";

/** Values of fields as they were given, and where each stands. */
export interface GivenFields {
  values: Map<string, unknown>;
  /** For messages: `--beta`, or `beta (kto.yaml)`. */
  places: Map<string, string>;
}

/** What came of given fields: complete values, which of them were given, notes, and everything that is wrong. */
export interface ReadFields {
  values: Record<string, unknown>;
  given: ReadonlySet<string>;
  notes: string[];
  mistakes: string[];
}

/** Largest config read: thousands of times what any needs. */
const maxConfigBytes = 1 << 20;

/** Reads a YAML (or JSON) config. Throws ConfigError for a file that is missing, not YAML, or not a map. */
export async function readConfigFile(path: string): Promise<GivenFields> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError([
      `${path}: the config cannot be read; expected a YAML file, got ${code === "ENOENT" ? "no such file" : code}; check the path`,
    ]);
  }
  if (content.length > maxConfigBytes)
    throw new ConfigError([
      `${path}: the config is too large; expected at most ${maxConfigBytes} characters, got ${content.length}; is it the right file?`,
    ]);
  const document = parseDocument(content, { prettyErrors: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map(
        ({ message }) =>
          `${path}: not YAML; expected lines "field: value", got "${message.split("\n")[0]!.replace(/:$/, "")}"; mend that line`,
      ),
    );
  }
  const parsed = toPlain(path, () => document.toJS({ maxAliasCount: 100 }) as unknown);
  if (parsed === null) return { values: new Map(), places: new Map() };
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new ConfigError([`${path}: the config is not a map; expected lines "field: value", got ${excerpt(parsed)}; see docs/cli.md`]);
  }
  const values = new Map(Object.entries(parsed));
  return { values, places: new Map([...values.keys()].map((field) => [field, `${field} (${path})`])) };
}

function toPlain(path: string, convert: () => unknown): unknown {
  try {
    return convert();
  } catch (error) {
    throw new ConfigError([`${path}: not usable; ${(error as Error).message}; write it without such aliases`]);
  }
}

/** Puts flags over a file's values. */
export function overlay(below: GivenFields, above: GivenFields): GivenFields {
  return { values: new Map([...below.values, ...above.values]), places: new Map([...below.places, ...above.places]) };
}

/** Checks given values against fields. Nothing is thrown: every mistake is listed, each with its place. */
export function checkFields(
  fields: Readonly<Record<string, Field>>,
  given: GivenFields,
  aliases: Readonly<Record<string, string>> = {},
): ReadFields {
  const values: Record<string, unknown> = Object.fromEntries(Object.entries(fields).map(([name, { initial }]) => [name, initial]));
  const result: ReadFields = { values, given: new Set(), notes: [], mistakes: [] };
  const known = new Map<string, unknown>();
  const places = new Map(given.places);
  for (const [name, value] of given.values) {
    const field = Object.hasOwn(aliases, name) ? aliases[name]! : name;
    if (Object.hasOwn(fields, field)) {
      places.set(field, given.places.get(name) ?? name);
      known.set(field, typeof value === "string" && fields[field]!.kind === "list" ? readList([value]) : value);
    } else checkForeign(name, value, fields, given.places.get(name) ?? name, result);
  }
  const schema = z.object(Object.fromEntries([...known.keys()].map((field) => [field, fields[field]!.schema])));
  const wrong = new Set((schema.safeParse(Object.fromEntries(known)).error?.issues ?? []).map(({ path }) => String(path[0])));
  for (const [field, value] of known) {
    if (wrong.has(field))
      result.mistakes.push(`${places.get(field) ?? field}: not usable; expected ${fields[field]!.expected}, got ${excerpt(value)}`);
    else values[field] = fields[field]!.convert ? fields[field]!.convert(value) : value;
  }
  return { ...result, given: new Set(known.keys()) };
}

function checkForeign(
  name: string,
  value: unknown,
  fields: Readonly<Record<string, Field>>,
  place: string,
  { notes, mistakes }: ReadFields,
): void {
  if (Object.hasOwn(refusedFields, name)) {
    if (!asksForNothing(name, value))
      mistakes.push(
        `${place}: a field of trl, peft or transformers that kto does not have; expected it unset, got ${excerpt(value)}; remove it`,
      );
    return;
  }
  if (ignoredFields.has(name)) {
    if (value !== null && value !== false) notes.push(`${name} has no effect here`);
    return;
  }
  const close = nearest(name, Object.keys(fields));
  mistakes.push(
    `${place}: there is no such field; ${close === undefined ? "expected one of docs/cli.md; remove it" : `did you mean ${close}?`}`,
  );
}

/** The value of a flag, or of a foreign field, from its text. */
export function flagValue(fields: Readonly<Record<string, Field>>, name: string, given: string | boolean | readonly string[]): unknown {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field) return readFlag(field, given);
  if (typeof given !== "string") return given;
  try {
    return JSON.parse(given) as unknown;
  } catch {
    return /^none$/i.test(given) ? null : given;
  }
}

/** A short text of a value, for messages. */
export function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
