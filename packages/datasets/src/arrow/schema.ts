import { excerpt, shorten } from "@kto/core";
import type { TimeUnit } from "../tables/python-text.js";
import type { Fail, FlatTable } from "./flatbuffer.js";

/** The type of a column, as far as rows of it can be made. */
export type ArrowType =
  | { kind: "null" | "bool" | "struct" | "map" }
  | { kind: "int"; bits: number; isSigned: boolean }
  | { kind: "float"; bits: number }
  | { kind: "text" | "binary"; isLarge: boolean }
  | { kind: "fixed"; width: number }
  | { kind: "list"; isLarge: boolean }
  | { kind: "fixedList"; size: number }
  | { kind: "decimal"; bits: number; precision: number; scale: number }
  | { kind: "date"; unit: "day" | "ms" }
  | { kind: "time"; bits: number; unit: TimeUnit }
  | { kind: "timestamp"; unit: TimeUnit; zone: string | undefined }
  | { kind: "duration"; unit: TimeUnit };

/** A column, or a part of one, with how its values are kept. */
export interface ArrowField {
  readonly name: string;
  /** Its names from the top, joined by dots, for messages. */
  readonly path: string;
  readonly type: ArrowType;
  readonly children: readonly ArrowField[];
  /** The dictionary that its values are numbers in, and the type of those. */
  readonly dictionary: { readonly id: number; readonly index: ArrowType & { kind: "int" } } | undefined;
  /** `arrow.json` for text that holds JSON, which datasets reads as what it holds. */
  readonly extension: string | undefined;
  /** True inside lists, structs and maps. */
  readonly nested: boolean;
}

const UNITS: readonly TimeUnit[] = ["s", "ms", "us", "ns"];

/** Levels of nesting, as in Parquet. */
const MAX_DEPTH = 64;

/** Columns and their parts, all together, as in Parquet. */
const MAX_FIELDS = 2 ** 16;

/** Pairs of metadata that one column may have. */
const MAX_METADATA_PAIRS = 256;

/** Names of the types that are not read. */
const OTHER_TYPES: Readonly<Record<number, string>> = {
  11: "interval",
  14: "union",
  22: "run_end_encoded",
  23: "binary_view",
  24: "string_view",
  25: "list_view",
  26: "large_list_view",
};

/** The columns of a schema message. `fail` is called for what contradicts itself, `refuse` for a type that is not read. */
export function readSchema(schema: FlatTable, fail: Fail, refuse: (column: string, type: string) => never): ArrowField[] {
  if (schema.int16(0, 0) !== 0) return refuse("every column", "big-endian numbers");
  let numFields = 0;
  const read = (field: FlatTable, parent: string, depth: number): ArrowField => {
    if (depth > MAX_DEPTH) fail(`columns nest deeper than ${MAX_DEPTH}`);
    if (++numFields > MAX_FIELDS) fail(`there are more than ${MAX_FIELDS} columns`);
    const name = field.text(0) ?? "";
    const path = shorten(parent === "" ? name : `${parent}.${name}`, 100);
    const kind = field.uint8(2, 0);
    const children = field.tables(5, MAX_FIELDS).map((child) => read(child, path, depth + 1));
    const failHere: Fail = (problem) => fail(`column ${path} ${problem}`);
    const type = readType(kind, field.table(3) ?? failHere("has no type"), failHere) ?? refuse(path, OTHER_TYPES[kind] ?? `type ${kind}`);
    const wanted =
      type.kind === "list" || type.kind === "fixedList" || type.kind === "map" ? 1 : type.kind === "struct" ? children.length : 0;
    if (children.length !== wanted) failHere(`has ${children.length} parts, where ${wanted} are expected`);
    if (type.kind === "map" && (children[0]!.type.kind !== "struct" || children[0]!.children.length !== 2))
      failHere("is a map without keys and values");
    const names = children.map((child) => child.name);
    if (type.kind === "struct" && new Set(names).size !== names.length) failHere("has two fields of the same name");
    return { name, path, type, children, dictionary: readDictionary(field, failHere), extension: extensionOf(field), nested: depth > 0 };
  };
  const fields = schema.tables(1, MAX_FIELDS).map((field) => read(field, "", 0));
  const names = fields.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index && index < 1000);
  if (new Set(names).size !== names.length) fail(`two columns have the same name${repeated === undefined ? "" : ` ${excerpt(repeated)}`}`);
  return fields;
}

function readDictionary(field: FlatTable, fail: Fail): ArrowField["dictionary"] {
  const dictionary = field.table(4);
  if (dictionary === undefined) return undefined;
  const index = dictionary.table(1);
  return { id: dictionary.count(0), index: index === undefined ? { kind: "int", bits: 32, isSigned: true } : intType(index, fail) };
}

function extensionOf(field: FlatTable): string | undefined {
  return field
    .tables(6, MAX_METADATA_PAIRS)
    .find((pair) => pair.text(0) === "ARROW:extension:name")
    ?.text(1);
}

function intType(type: FlatTable, fail: Fail): ArrowType & { kind: "int" } {
  const bits = type.int32(0, 0);
  return [8, 16, 32, 64].includes(bits) ? { kind: "int", bits, isSigned: type.boolean(1) } : fail(`has integers of ${bits} bits`);
}

/** The type with this number; undefined for one that is not read. */
function readType(kind: number, type: FlatTable, fail: Fail): ArrowType | undefined {
  const unitOf = (missing: number): TimeUnit => UNITS[type.int16(0, missing)] ?? fail("has times of an unknown unit");
  switch (kind) {
    case 1:
      return { kind: "null" };
    case 2:
      return intType(type, fail);
    case 3:
      return { kind: "float", bits: [16, 32, 64][type.int16(0, 0)] ?? fail("has floats of an unknown size") };
    case 4:
    case 19:
      return { kind: "binary", isLarge: kind === 19 };
    case 5:
    case 20:
      return { kind: "text", isLarge: kind === 20 };
    case 6:
      return { kind: "bool" };
    case 7:
      return decimalType(type, fail);
    case 8:
      return { kind: "date", unit: type.int16(0, 1) === 0 ? "day" : "ms" };
    case 9:
      return { kind: "time", unit: unitOf(1), bits: type.int32(1, 32) === 64 ? 64 : 32 };
    case 10:
      return { kind: "timestamp", unit: unitOf(0), zone: type.text(1) };
    case 12:
    case 21:
      return { kind: "list", isLarge: kind === 21 };
    case 13:
      return { kind: "struct" };
    case 15:
      return { kind: "fixed", width: positive(type.int32(0, 0), fail) };
    case 16:
      return { kind: "fixedList", size: positive(type.int32(0, 0), fail) };
    case 17:
      return { kind: "map" };
    case 18:
      return { kind: "duration", unit: unitOf(1) };
  }
  return undefined;
}

function decimalType(type: FlatTable, fail: Fail): ArrowType {
  const [precision, scale, bits] = [type.int32(0, 0), type.int32(1, 0), type.int32(2, 128)];
  const fits = [32, 64, 128, 256].includes(bits) && Math.abs(scale) <= 76;
  return fits ? { kind: "decimal", precision, scale, bits } : fail(`has decimals of ${bits} bits with ${scale} digits after the point`);
}

function positive(size: number, fail: Fail): number {
  return size >= 0 ? size : fail(`has values of ${size} parts`);
}
