import { excerpt } from "../excerpt.js";
import { nearestName } from "../nearest-name.js";
import { defaultsOf, type Field, type Fields, type Values } from "./field.js";
import type { Mistake } from "./mistake.js";
import { asksForNothing, type OtherFields } from "./other-field.js";
import { readValue } from "./read-value.js";
import { diskName, diskNames, snakeCase } from "./spelling.js";

/** Values as they were given, and where each stands. */
export interface GivenFields {
  readonly values: ReadonlyMap<string, unknown>;
  /** For messages: `--beta`, or `beta (kto.yaml)`; the name itself where nothing is said. */
  readonly places: ReadonlyMap<string, string>;
}

/** What came of given values. Where there are mistakes the values are not complete. */
export interface CheckedFields<Declared extends Fields> {
  values: Values<Declared>;
  /** Fields that were given. */
  given: ReadonlySet<keyof Declared & string>;
  /** Where each given field stands. */
  places: ReadonlyMap<string, string>;
  /** What the user should know: fields without effect. */
  notes: string[];
  mistakes: Mistake[];
}

/** How values are spelled and what else is known. */
export interface CheckOptions {
  /** `disk`: names and values of files and flags. `code`: a library's own, where undefined means the default. */
  spelling: "disk" | "code";
  /** Fields of trl, peft and transformers that are none here. */
  others?: OtherFields;
  /** Flags beside the fields that a misspelt flag may mean. */
  moreFlags?: readonly string[];
  /** The folder that `~` means in paths. */
  home?: string | undefined;
}

/** Letters of two values of one field that are compared. */
const maxCompared = 1_000_000;

/** Checks given values against fields. Nothing is thrown: every mistake is listed, each with its place. */
export function checkFields<Declared extends Fields>(
  fields: Declared,
  given: GivenFields,
  { spelling, others = {}, moreFlags = [], home }: CheckOptions,
): CheckedFields<Declared> {
  const isDisk = spelling === "disk";
  const names = isDisk ? diskNames(fields) : new Map(Object.keys(fields).map((name) => [name, name]));
  const values: Record<string, unknown> = defaultsOf(fields);
  const [notes, mistakes]: [string[], Mistake[]] = [[], []];
  const places = new Map<string, string>();
  const raw = new Map<string, unknown>();
  for (const [name, value] of given.values) {
    const place = given.places.get(name) ?? name;
    const field = names.get(name);
    if (field === undefined) checkOther(name, value, place);
    else if (raw.has(field)) checkTwice(field, value, place);
    else if (isDisk || value !== undefined) {
      raw.set(field, value);
      places.set(field, place);
    }
  }
  for (const [field, value] of raw) {
    const declared: Field<unknown> = fields[field]!;
    const read = isDisk ? readValue(declared, value, home) : value;
    if (declared.schema.safeParse(read).success) values[field] = read;
    else {
      const [place, expected, got] = [places.get(field)!, declared.expected, excerpt(value)];
      mistakes.push({ kind: "unusable", place, field, problem: "not usable", expected, got });
    }
  }
  for (const [field, declared] of Object.entries(fields))
    if (declared.isRequired && !raw.has(field)) mistakes.push(missing(field, declared, isDisk));
  return { values: values as Values<Declared>, given: new Set(raw.keys()), places, notes, mistakes };

  function checkOther(name: string, value: unknown, place: string): void {
    const onDisk = isDisk ? name : snakeCase(name);
    const other = Object.hasOwn(others, onDisk) ? others[onDisk]! : undefined;
    if (other === undefined) {
      const nearest = nearestName(name, [...names.keys(), ...(place.startsWith("--") ? moreFlags : [])], isDisk ? 2 : 1);
      mistakes.push({ kind: "unknown", place, name, nearest });
    } else if (asksForNothing(other, value)) return;
    else if (other.fate === "refused") mistakes.push({ kind: "refused", place, name, why: other.why, instead: other.instead, got: value });
    else notes.push(`${name} has no effect here${other.why === undefined ? "" : `: ${other.why}`}`);
  }

  function checkTwice(field: string, value: unknown, place: string): void {
    if (excerpt(raw.get(field), maxCompared) === excerpt(value, maxCompared)) return;
    const problem = `it means the same as ${places.get(field)!}, which is given too`;
    const got = `${excerpt(raw.get(field))} and ${excerpt(value)}`;
    mistakes.push({ kind: "unusable", place, field, problem, expected: "one of the two", got, advice: "remove one" });
  }
}

function missing(field: string, declared: Field<unknown>, isDisk: boolean): Mistake {
  const place = isDisk ? `--${diskName(field, declared)}` : field;
  const advice = isDisk ? `give ${place}` : undefined;
  return { kind: "unusable", place, field, problem: "missing", expected: declared.expected, got: "none", advice };
}

/** Puts values over others: what a field holds above replaces what it holds below, under whichever of its names. */
export function overlay(fields: Fields, below: GivenFields, above: GivenFields): GivenFields {
  const names = diskNames(fields);
  const replaced = new Set([...above.values.keys()].map((name) => names.get(name) ?? name));
  const kept = [...below.values].filter(([name]) => !replaced.has(names.get(name) ?? name));
  return { values: new Map([...kept, ...above.values]), places: new Map([...below.places, ...above.places]) };
}
