import { excerpt, shorten } from "@kto/core";
import { type Cell } from "../tables/cells.js";
import { needsMap } from "../tables/records.js";
import { parquetCell } from "./cells.js";
import type { Fail } from "./damage.js";
import type { ThriftReader } from "./thrift.js";

/** One element of the schema, which is a tree written in depth-first order. */
export interface SchemaElement {
  readonly name: string;
  readonly physicalType: number | undefined;
  readonly typeLength: number;
  /** 0 required, 1 optional, 2 repeated. */
  readonly repetition: number;
  readonly numChildren: number;
  readonly convertedType: number | undefined;
  readonly scale: number;
  readonly precision: number;
  readonly logical: LogicalType | undefined;
}

/** A logical type: the number that Parquet gives it, and what it says of numbers and times. */
export interface LogicalType {
  readonly kind: number;
  readonly unit?: "ms" | "us" | "ns" | undefined;
  readonly isUtc?: boolean | undefined;
  readonly scale?: number | undefined;
  readonly precision?: number | undefined;
  readonly isSigned?: boolean | undefined;
}

/** A column of values: where its levels end, and how a value becomes one of a row. */
export interface Leaf {
  /** Its names from the top, joined by dots, for messages. */
  readonly path: string;
  readonly physicalType: number;
  readonly typeLength: number;
  readonly maxDefinition: number;
  readonly maxRepetition: number;
  readonly cell: Cell<never>;
}

/**
 * A node of the schema as rows have it. `definition` is the level from which on the node itself is there, `repetition` the level at which a list goes on;
 * `first` and `last` are the leaves below it, which a null passes over together.
 */
export type SchemaNode = NodePlace & (LeafNode | StructNode | ListNode | MapNode);

interface NodePlace {
  readonly name: string;
  readonly definition: number;
  readonly first: number;
  /** The leaf after the last one below. */
  readonly last: number;
}

interface LeafNode {
  readonly kind: "leaf";
}

interface StructNode {
  readonly kind: "struct";
  readonly names: readonly string[];
  readonly fields: readonly SchemaNode[];
  readonly asMap: boolean;
}

interface ListNode {
  readonly kind: "list";
  /** Level from which on there is an element. */
  readonly itemDefinition: number;
  readonly repetition: number;
  readonly item: SchemaNode;
}

interface MapNode {
  readonly kind: "map";
  readonly itemDefinition: number;
  readonly repetition: number;
  readonly key: SchemaNode;
  readonly value: SchemaNode;
}

const OPTIONAL = 1;
const REPEATED = 2;
const CONVERTED = { map: 1, mapKeyValue: 2, list: 3 } as const;
const LOGICAL = { map: 2, list: 3 } as const;

/** Levels of nesting; a list takes two. Conversations with tool calls and their schemas stay below 40. */
const MAX_DEPTH = 128;

/** Reads an element of the schema from the footer. */
export function readSchemaElement(reader: ThriftReader, type: number, fail: Fail): SchemaElement {
  const numbers = new Map<number, number>();
  let name: string | undefined;
  let logical: LogicalType | undefined;
  reader.nested(type, (field, fieldType) => {
    if (field === 4) name = reader.text(fieldType);
    else if (field === 10) logical = readLogicalType(reader, fieldType);
    else if (field <= 8) numbers.set(field, reader.integer(fieldType));
    else return false;
    return true;
  });
  return {
    name: name ?? fail("a column has no name"),
    physicalType: numbers.get(1),
    typeLength: numbers.get(2) ?? 0,
    repetition: numbers.get(3) ?? 0,
    numChildren: numbers.get(5) ?? 0,
    convertedType: numbers.get(6),
    scale: numbers.get(7) ?? 0,
    precision: numbers.get(8) ?? 0,
    logical,
  };
}

function readLogicalType(reader: ThriftReader, type: number): LogicalType | undefined {
  let logical: LogicalType | undefined;
  reader.nested(type, (kind, kindType) => {
    const numbers = new Map<number, number>();
    const flags = new Map<number, boolean>();
    let unit: LogicalType["unit"];
    reader.nested(kindType, (field, fieldType) => {
      if (fieldType === 1 || fieldType === 2) flags.set(field, reader.boolean(fieldType));
      else if (fieldType >= 3 && fieldType <= 6) numbers.set(field, reader.integer(fieldType));
      else if (fieldType === 12 && field === 2)
        reader.nested(fieldType, (unitField) => void (unit = ([undefined, "ms", "us", "ns"] as const)[unitField]));
      else return false;
      return true;
    });
    logical = { kind, unit, isUtc: flags.get(1), scale: numbers.get(1), precision: numbers.get(2), isSigned: flags.get(2) };
    return true;
  });
  return logical;
}

/** The columns of a schema and its leaves, in their order. Calls `fail` for a tree that is none, or too deep. */
export function schemaTree(elements: readonly SchemaElement[], fail: Fail): { columns: SchemaNode[]; leaves: Leaf[] } {
  const builder = new TreeBuilder(elements, fail);
  const columns = builder.children(0, { path: "", definition: 0, repetition: 0, depth: 0, nested: false });
  if (builder.position !== elements.length) fail(`the schema has ${elements.length} elements and its tree ${builder.position}`);
  const names = new Set(columns.map(({ name }) => name));
  if (names.size !== columns.length) fail("two columns have the same name");
  return { columns, leaves: builder.leaves };
}

/** Where in the tree an element stands. */
interface Place {
  readonly path: string;
  readonly definition: number;
  readonly repetition: number;
  readonly depth: number;
  /** True inside lists, maps and structs. */
  readonly nested: boolean;
}

class TreeBuilder {
  readonly leaves: Leaf[] = [];
  position = 1;
  readonly #elements: readonly SchemaElement[];
  readonly #fail: Fail;

  constructor(elements: readonly SchemaElement[], fail: Fail) {
    this.#elements = elements;
    this.#fail = fail;
  }

  /** The nodes of the children of the element at `index`, the first of which is at `position`. */
  children(index: number, place: Place): SchemaNode[] {
    const { numChildren, name } = this.#elements[index]!;
    if (numChildren < 0 || numChildren > this.#elements.length - this.position) {
      this.#fail(`${excerpt(name)} of the schema has ${numChildren} columns, where ${this.#elements.length - this.position} are left`);
    }
    if (place.depth > MAX_DEPTH) this.#fail(`the schema nests deeper than ${MAX_DEPTH}`);
    return Array.from({ length: numChildren }, () => this.#node(place));
  }

  #node(parent: Place): SchemaNode {
    const element = this.#elements[this.position] ?? this.#fail("the schema ends early");
    const place = childPlace(parent, element);
    if (element.repetition !== REPEATED) return this.#present(element, place);
    // Repeated outside a list: a list that is never null, of elements that are never null.
    const first = this.leaves.length;
    const item = this.#present(element, { ...place, nested: true });
    return this.#list(element.name, place, parent.definition, first, item);
  }

  /** The element as it is where it is there, whatever its repetition. */
  #present(element: SchemaElement, place: Place): SchemaNode {
    const index = this.position++;
    const first = this.leaves.length;
    if (element.numChildren === 0) return this.#leaf(element, place);
    const { convertedType, logical } = element;
    const inside = { ...place, nested: true };
    const repeated = this.#onlyRepeatedChild(index);
    if (repeated !== undefined && (convertedType === CONVERTED.list || logical?.kind === LOGICAL.list)) {
      const group = childPlace(inside, repeated);
      const item = isItem(repeated, element.name, this.#elements[this.position + 1]) ? this.#present(repeated, group) : this.#inner(group);
      return this.#list(element.name, group, place.definition, first, item);
    }
    const isMap = convertedType === CONVERTED.map || convertedType === CONVERTED.mapKeyValue || logical?.kind === LOGICAL.map;
    if (isMap && repeated?.numChildren === 2) {
      const group = childPlace(inside, repeated);
      const [key, value] = this.children(this.position++, group) as [SchemaNode, SchemaNode];
      const { name } = element;
      return {
        kind: "map",
        name,
        definition: place.definition,
        first,
        last: this.leaves.length,
        itemDefinition: group.definition,
        repetition: group.repetition,
        key,
        value,
      };
    }
    const fields = this.children(index, inside);
    const names = fields.map(({ name }) => name);
    if (new Set(names).size !== names.length) this.#fail(`two fields of ${place.path} have the same name`);
    return {
      kind: "struct",
      name: element.name,
      definition: place.definition,
      first,
      last: this.leaves.length,
      names,
      fields,
      asMap: needsMap(names),
    };
  }

  /** The one child of a group that only wraps it. */
  #inner(group: Place): SchemaNode {
    return this.children(this.position++, group)[0]!;
  }

  #onlyRepeatedChild(index: number): SchemaElement | undefined {
    const child = this.#elements[index + 1];
    return this.#elements[index]!.numChildren === 1 && child?.repetition === REPEATED ? child : undefined;
  }

  #list(name: string, { definition, repetition }: Place, listDefinition: number, first: number, item: SchemaNode): SchemaNode {
    return {
      kind: "list",
      name,
      definition: listDefinition,
      first,
      last: this.leaves.length,
      itemDefinition: definition,
      repetition,
      item,
    };
  }

  #leaf(element: SchemaElement, { path, definition, repetition, nested }: Place): SchemaNode {
    const { physicalType, typeLength, name } = element;
    if (physicalType === undefined) return this.#fail(`${path} has neither a type nor columns`);
    const index = this.leaves.length;
    const cell = parquetCell(element, nested, (problem) => this.#fail(`${path} ${problem}`));
    this.leaves.push({ path, physicalType, typeLength, maxDefinition: definition, maxRepetition: repetition, cell });
    return { kind: "leaf", name, definition, first: index, last: index + 1 };
  }
}

function childPlace(parent: Place, { name, repetition }: SchemaElement): Place {
  return {
    path: shorten(parent.path === "" ? name : `${parent.path}.${name}`, 100),
    definition: parent.definition + (repetition === OPTIONAL || repetition === REPEATED ? 1 : 0),
    repetition: parent.repetition + (repetition === REPEATED ? 1 : 0),
    depth: parent.depth + 1,
    nested: parent.depth > 0,
  };
}

/** True where the repeated element of a list is its item, as older writers have it, and not a group around the item. */
function isItem(repeated: SchemaElement, listName: string, child: SchemaElement | undefined): boolean {
  if (repeated.numChildren !== 1) return true;
  return repeated.name === "array" || repeated.name === `${listName}_tuple` || child?.repetition === REPEATED;
}
