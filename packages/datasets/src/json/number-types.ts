import { Float, isFloat } from "@kto/core";
import type { DataRow } from "../dataset.js";

/** Kinds of a value, as bits. */
const INTEGER = 1;
const FLOAT = 2;
const OTHER = 4;
const LIST = 8;
const OBJECT = 16;

/** Structs of more fields, and tables of more nested columns, are left as they are written. */
const MAX_FIELDS = 1000;

const isWide = (value: bigint): boolean => value < -(2n ** 63n) || value >= 2n ** 63n;

/** What is to be changed below a column. */
type Change = { kind: "float" } | { kind: "finite" } | { kind: "items"; of: Change } | { kind: "fields"; of: Map<string, Change> };

/**
 * The types that nested columns have in Arrow, through which rows pass before trl sees them, as far as they change a number's text.
 *
 * Where every object at a place has the same keys, the place is a struct, and a number there is a float in every row when it is one in any, or an integer
 * outside of 64 bits: of `{"x": 1}` and `{"x": 2.5}` the first becomes `{"x": 1.0}`. Where keys differ, or lists and objects stand beside other values,
 * datasets keeps the JSON itself (its `Json` feature), and with it each number as it is written, but null for NaN and the infinities. Objects never get
 * keys that they do not have.
 *
 * @see datasets 5.2, packaged_modules/json and utils/json.py (find_mixed_struct_types_field_paths)
 */
export class NumberTypes {
  readonly #columns = new Map<string, Place>();
  #mayHaveInfinite = false;
  #changes: Map<string, Change> | undefined;

  /** Learns from the text of rows whether any may hold NaN or an infinity; it is to be told of every row. */
  noteWords(text: string): void {
    this.#mayHaveInfinite ||= text.includes("NaN") || text.includes("Infinity");
  }

  /** Learns the types of a row. */
  add(row: DataRow): void {
    this.#changes = undefined;
    for (const name in row) {
      let place = this.#columns.get(name);
      if (place === undefined && this.#columns.size < MAX_FIELDS) this.#columns.set(name, (place = new Place()));
      place?.add(row[name]);
    }
  }

  /** What was learnt, for `learn`. JSON. */
  state(): NumberTypesState {
    return { columns: statesOf(this.#columns), mayHaveInfinite: this.#mayHaveInfinite };
  }

  /** Learns what another learnt of its rows. */
  learn({ columns, mayHaveInfinite }: NumberTypesState): void {
    this.#changes = undefined;
    this.#mayHaveInfinite ||= mayHaveInfinite;
    for (const [name, state] of columns) {
      let place = this.#columns.get(name);
      if (place === undefined && this.#columns.size < MAX_FIELDS) this.#columns.set(name, (place = new Place()));
      place?.learn(state);
    }
  }

  /** Gives the numbers of a row the types of all rows learnt; the row is changed. */
  apply(row: DataRow): DataRow {
    this.#changes ??= this.#learnt();
    for (const [name, change] of this.#changes) if (Object.hasOwn(row, name)) row[name] = changed(row[name], change);
    return row;
  }

  #learnt(): Map<string, Change> {
    const changes = changesOf(this.#columns, this.#mayHaveInfinite);
    for (const [name, { kind }] of changes) if (kind === "float") changes.delete(name); // a column's own numbers are plain
    return changes;
  }
}

/** What {@link NumberTypes} learnt. */
export interface NumberTypesState {
  columns: [name: string, state: PlaceState][];
  mayHaveInfinite: boolean;
}

interface PlaceState {
  kinds: number;
  isJson: boolean;
  items?: PlaceState;
  fields?: [key: string, state: PlaceState][];
}

function statesOf(places: ReadonlyMap<string, Place>): [string, PlaceState][] {
  return Array.from(places, ([name, place]) => [name, place.state()]);
}

/** What stands at one place of all rows: below a column, a key or a list. */
class Place {
  #kinds = 0;
  #isJson = false;
  #items: Place | undefined;
  #fields: Map<string, Place> | undefined;

  add(value: unknown): void {
    if (this.#isJson || value === null || value === undefined) return;
    const kind = kindOf(value);
    this.#kinds |= kind;
    if (kind < LIST && this.#kinds < LIST) return;
    if (this.#kinds !== kind) this.#isJson = true;
    else if (kind === LIST) this.#addItems(value as unknown[]);
    else if (value instanceof Map) this.#addFields(value.size, value as Map<string, unknown>);
    else this.#addFields(Object.keys(value).length, Object.entries(value));
    if (this.#isJson) this.#items = this.#fields = undefined;
  }

  state(): PlaceState {
    return {
      kinds: this.#kinds,
      isJson: this.#isJson,
      ...(this.#items && { items: this.#items.state() }),
      ...(this.#fields && { fields: statesOf(this.#fields) }),
    };
  }

  /** Learns what another place learnt of its values. */
  learn({ kinds, isJson, items, fields }: PlaceState): void {
    if (this.#isJson) return;
    this.#kinds |= kinds;
    const isMixed = this.#kinds > LIST && this.#kinds !== OBJECT;
    if (isJson || isMixed) this.#isJson = true;
    else {
      if (items) (this.#items ??= new Place()).learn(items);
      if (fields) this.#learnFields(fields);
    }
    if (this.#isJson) this.#items = this.#fields = undefined;
  }

  #learnFields(states: NonNullable<PlaceState["fields"]>): void {
    this.#fields ??= new Map(states.map(([key]) => [key, new Place()]));
    if (states.length === this.#fields.size && states.every(([key]) => this.#fields!.has(key)))
      for (const [key, state] of states) this.#fields.get(key)!.learn(state);
    else this.#isJson = true;
  }

  #addItems(items: readonly unknown[]): void {
    const place = (this.#items ??= new Place());
    for (const item of items) place.add(item);
  }

  #addFields(count: number, entries: Iterable<[string, unknown]>): void {
    const isFirst = this.#fields === undefined;
    const fields = (this.#fields ??= new Map<string, Place>());
    if (count === 0 || count > MAX_FIELDS || !(isFirst || count === fields.size)) this.#isJson = true;
    else {
      for (const [key, item] of entries) {
        let place = fields.get(key);
        if (place === undefined) {
          if (!isFirst) {
            this.#isJson = true;
            return;
          }
          place = new Place();
          fields.set(key, place);
        }
        place.add(item);
      }
    }
  }

  /** What is to be changed here, if anything. */
  change(mayHaveInfinite: boolean): Change | undefined {
    if (this.#isJson || (this.#kinds & OTHER && this.#kinds !== OTHER)) return mayHaveInfinite ? { kind: "finite" } : undefined;
    if (this.#kinds === (INTEGER | FLOAT)) return { kind: "float" };
    const items = this.#items?.change(mayHaveInfinite);
    if (items) return { kind: "items", of: items };
    const fields = changesOf(this.#fields ?? new Map<string, Place>(), mayHaveInfinite);
    return fields.size > 0 ? { kind: "fields", of: fields } : undefined;
  }
}

function changesOf(places: ReadonlyMap<string, Place>, mayHaveInfinite: boolean): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const [key, place] of places) {
    const change = place.change(mayHaveInfinite);
    if (change) changes.set(key, change);
  }
  return changes;
}

function kindOf(value: unknown): number {
  if (typeof value === "number") return Number.isInteger(value) ? INTEGER : FLOAT;
  if (typeof value === "bigint") return isWide(value) ? INTEGER | FLOAT : INTEGER;
  if (typeof value !== "object") return OTHER;
  if (Array.isArray(value)) return LIST;
  return isFloat(value) ? FLOAT : OBJECT;
}

function changed(value: unknown, change: Change): unknown {
  switch (change.kind) {
    case "float":
      return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value)) ? new Float(Number(value)) : value;
    case "finite":
      return finite(value);
    case "items":
      return Array.isArray(value) ? value.map((item) => changed(item, change.of)) : value;
    case "fields":
      return mapped(value, (item, key) => (change.of.has(key) ? changed(item, change.of.get(key)!) : item));
  }
}

/** The value with null for every NaN and infinity in it. */
function finite(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  return Array.isArray(value) ? value.map(finite) : mapped(value, finite);
}

/** An object with other values of its fields, in place; anything else as it is. */
function mapped(value: unknown, change: (item: unknown, key: string) => unknown): unknown {
  if (value instanceof Map) for (const [key, item] of value as Map<string, unknown>) value.set(key, change(item, key));
  else if (typeof value === "object" && value !== null && !isFloat(value)) {
    const fields = value as DataRow;
    for (const key of Object.keys(fields)) fields[key] = change(fields[key], key);
  }
  return value;
}
