import * as z from "zod/mini";

/** How the text of a flag becomes a value. */
export type FieldKind = "boolean" | "booleanOrText" | "number" | "text" | "path" | "list" | "words" | "map" | "size";

/** What a value of a field may be. */
export interface FieldType<Value> {
  readonly kind: FieldKind;
  readonly schema: z.ZodMiniType<Value>;
  /** What is expected, in words, for messages. */
  readonly expected: string;
  /** `none` is a value like others, where it is elsewhere another word for null. */
  readonly hasNone?: boolean | undefined;
  /** Turns a value that was given into the one that the schema checks and that is used; what is no such value is given back as it is. */
  readonly convert?: ((given: unknown) => unknown) | undefined;
  /** What may stand in a file, where `convert` makes something else of it. */
  readonly given?: z.ZodMiniType | undefined;
}

/** What a field is to someone who knows it from trl, peft or transformers. */
export type FieldFate = "supported" | "different" | "ours" | "refused";

/** What is said of a field beside its values. */
export interface FieldFacts {
  /** Fields of one group stand together in help and tables. */
  readonly group: string;
  /** What it means, in one clause. */
  readonly help: string;
  /** What else there is to know, and how a different field differs: for the table of the docs. */
  readonly notes?: string;
  /** `supported` where nothing is said: it does what it does there. */
  readonly fate?: FieldFate;
  /** Its name in files and flags, where that is not its name in snake_case. Null: libraries have it alone. */
  readonly onDisk?: string | null;
  /** Other names in files and flags. */
  readonly aliases?: readonly string[];
}

/** One field of a config, declared once: type, range, default and what it means. Flags, help, errors, tables and the JSON schema come from it. */
export interface Field<Value> extends FieldType<Value>, FieldFacts {
  /** The default; of a required field undefined. */
  readonly initial: Value | undefined;
  /** There is no default: it has to be given. */
  readonly isRequired: boolean;
}

/** Fields by their names in code, in camelCase. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** The config that some fields make: a value for each. */
export type Values<Declared extends Fields> = {
  -readonly [Name in keyof Declared]: Declared[Name] extends Field<infer Value> ? Value : never;
};

/** Declares a field with a default. The schema's metadata are its default and what it means. */
export function field<Value>(type: FieldType<Value>, initial: NoInfer<Value>, facts: FieldFacts): Field<Value> {
  return { ...type, ...facts, schema: withMeta(type, facts, { default: initial }), initial, isRequired: false };
}

/** Declares a field that has to be given. */
export function requiredField<Value>(type: FieldType<Value>, facts: FieldFacts): Field<Value> {
  return { ...type, ...facts, schema: withMeta(type, facts, {}), initial: undefined, isRequired: true };
}

/** The same field with another default, or other facts: a command's own view of a library's field. */
export function redeclared<Value>(declared: Field<Value>, initial: NoInfer<Value>, facts: Partial<FieldFacts> = {}): Field<Value> {
  return field(declared, initial, { ...factsOf(declared), ...facts });
}

/** The same field with other facts: under another name, say. */
export function renamed<Value>(declared: Field<Value>, facts: Partial<FieldFacts>): Field<Value> {
  const all = { ...factsOf(declared), ...facts };
  return declared.isRequired ? requiredField(declared, all) : field(declared, declared.initial as NoInfer<Value>, all);
}

function factsOf({ group, help, notes, fate, onDisk, aliases }: FieldFacts): FieldFacts {
  const facts = { group, help, notes, fate, onDisk, aliases };
  return Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined)) as unknown as FieldFacts;
}

function withMeta<Value>(
  { schema }: FieldType<Value>,
  { help, notes }: FieldFacts,
  more: { default?: unknown },
): FieldType<Value>["schema"] {
  return schema.check(z.meta({ description: notes === undefined ? help : `${help}; ${notes}`, ...more }));
}

/** The defaults of some fields. */
export function defaultsOf<Declared extends Fields>(fields: Declared): Values<Declared> {
  return Object.fromEntries(Object.entries(fields).map(([name, { initial }]) => [name, initial])) as Values<Declared>;
}

/** Some fields of many, or their values, by name. */
export function pickFields<Of extends object, Name extends keyof Of & string>(fields: Of, ...names: readonly Name[]): Pick<Of, Name> {
  return Object.fromEntries(names.map((name) => [name, fields[name]])) as Pick<Of, Name>;
}

/** The fields in the order of their groups; within a group their order stays. A group that is not listed is an error. */
export function inGroups<Declared extends Fields>(fields: Declared, groups: readonly string[]): Declared {
  const lost = Object.entries(fields).find(([, { group }]) => !groups.includes(group));
  if (lost) throw new Error(`inGroups: the field ${lost[0]} is of no group; expected one of ${groups.join(", ")}, got "${lost[1].group}"`);
  return Object.fromEntries(
    groups.flatMap((group) => Object.entries(fields).filter(([, declared]) => declared.group === group)),
  ) as Declared;
}
