import { mapRecord, record } from "../tables/records.js";
import type { TableColumn } from "../tables/table.js";
import type { ColumnChunk } from "./column-chunk.js";
import type { DecodedPage } from "./page.js";
import type { SchemaNode } from "./schema.js";

/** A column of a row group as rows have it, from the chunks of its leaves. Its values are made when they are read; `FormatError` for damaged ones. */
export function assembledColumn(node: SchemaNode, chunks: readonly ColumnChunk[]): TableColumn {
  const cursors = chunks.map((chunk) => new Cursor(chunk));
  const reader = new NodeReader(cursors);
  return {
    name: node.name,
    at(row) {
      let at = node.first;
      try {
        for (; at < node.last; at++) cursors[at]!.seek(row);
        at = node.first;
        const value = reader.read(node);
        for (; at < node.last; at++) cursors[at]!.expectEnd();
        return value;
      } catch (cause) {
        throw chunks[Math.min(at, node.last - 1)]!.damage(cause, row);
      }
    },
  };
}

/** A place in the entries of a chunk. */
class Cursor {
  /** Definition level of the entry; −1 past the last. */
  definition = -1;
  /** Repetition level of the entry, 0 past the last: how deep in the lists of the row it goes on. */
  repetition = 0;
  readonly #chunk: ColumnChunk;
  readonly #most: number;
  #page: DecodedPage | undefined;
  #pageIndex = 0;
  #entry = 0;
  #value = 0;

  constructor(chunk: ColumnChunk) {
    this.#chunk = chunk;
    this.#most = chunk.leaf.maxDefinition;
  }

  /** Goes to the beginning of a row. */
  seek(row: number): void {
    const { page, rowInPage } = this.#chunk.find(row);
    const decoded = this.#chunk.page(page);
    this.#page = decoded;
    this.#pageIndex = page;
    this.#entry = decoded.rowEntries?.[rowInPage] ?? rowInPage;
    this.#value = decoded.rowValues?.[rowInPage] ?? this.#entry;
    this.#look();
  }

  /** True if the entry is a value. */
  get isValue(): boolean {
    return this.definition === this.#most;
  }

  value(): unknown {
    return this.#page!.valueAt(this.#value);
  }

  /** Goes to the next entry, which may lie in the next page. */
  next(): void {
    if (this.isValue) this.#value += 1;
    this.#entry += 1;
    if (this.#entry >= this.#page!.numEntries && this.#pageIndex + 1 < this.#chunk.numPages) {
      this.#pageIndex += 1;
      this.#page = this.#chunk.page(this.#pageIndex);
      this.#entry = 0;
      this.#value = 0;
    }
    this.#look();
  }

  /** Throws Error unless the row ends here. */
  expectEnd(): void {
    if (this.repetition !== 0) throw new Error("its lists are longer than those of its neighbours");
  }

  #look(): void {
    const page = this.#page!;
    const isPast = this.#entry >= page.numEntries;
    this.definition = isPast ? -1 : (page.definitions?.[this.#entry] ?? this.#most);
    this.repetition = isPast ? 0 : (page.repetitions?.[this.#entry] ?? 0);
  }
}

/** Reads nested values by their levels, as Dremel wrote them: every leaf has an entry for each value, and for each null or empty list on the way to it. */
class NodeReader {
  readonly #cursors: readonly Cursor[];

  constructor(cursors: readonly Cursor[]) {
    this.#cursors = cursors;
  }

  read(node: SchemaNode): unknown {
    const { definition } = this.#cursors[node.first]!;
    if (definition < node.definition) return this.#pass(node, null);
    switch (node.kind) {
      case "leaf": {
        const cursor = this.#cursors[node.first]!;
        const value = cursor.isValue ? cursor.value() : null;
        cursor.next();
        return value;
      }
      case "struct": {
        const values = node.fields.map((field) => this.read(field));
        return record(node.names, values, node.asMap);
      }
      case "list": {
        const items: unknown[] = [];
        if (definition < node.itemDefinition) return this.#pass(node, items);
        do items.push(this.read(node.item));
        while (this.#goesOn(node, node.repetition));
        return items;
      }
      case "map": {
        const keys: unknown[] = [];
        const values: unknown[] = [];
        if (definition < node.itemDefinition) return this.#pass(node, mapRecord(keys, values));
        do {
          keys.push(this.read(node.key));
          values.push(this.read(node.value));
        } while (this.#goesOn(node, node.repetition));
        return mapRecord(keys, values);
      }
    }
  }

  /** Passes the one entry that every leaf below has for what is not there. */
  #pass<Value>({ first, last }: SchemaNode, value: Value): Value {
    for (let index = first; index < last; index++) this.#cursors[index]!.next();
    return value;
  }

  /** True if the list has another item; all leaves below must agree. */
  #goesOn({ first, last }: SchemaNode, repetition: number): boolean {
    const goesOn = this.#cursors[first]!.repetition === repetition;
    for (let index = first + 1; index < last; index++) {
      if ((this.#cursors[index]!.repetition === repetition) !== goesOn) throw new Error("lists of one row have different lengths");
    }
    return goesOn;
  }
}
