import { type ByteSource, FormatError, isKtoError, shorten } from "@kto/core";
import { Dataset } from "../dataset.js";
import { readBytes, rowLimit, type ReadOptions } from "../source.js";
import { type TableColumn, tableRows } from "../tables/table.js";
import type { FlatTable } from "./flatbuffer.js";
import { type ArrowMessage, arrowMessages, MESSAGE } from "./messages.js";
import { batchParts } from "./record-batch.js";
import { type ArrowField, readSchema } from "./schema.js";
import { readVector, type Vector } from "./vectors.js";

/** Values, nulls included, that any file may hold, and more for each byte of it: columns of nulls cost nothing, and a boolean an eighth of a byte. */
const VALUES = 2 ** 22;
const VALUES_PER_BYTE = 16;

/** Reads the record batches of a stream or file. */
export class ArrowReader {
  readonly #source: ByteSource;
  readonly #name: string;
  readonly #dictionaries = new Map<number, Vector>();
  #fields: readonly ArrowField[] | undefined;
  #valuesLeft: number;

  constructor(source: ByteSource, name: string) {
    this.#source = source;
    this.#name = name;
    this.#valuesLeft = VALUES + VALUES_PER_BYTE * source.byteLength;
  }

  /** The rows of each record batch, as many as are asked for. */
  async *batches({ maxRows, signal }: Pick<ReadOptions, "maxRows" | "signal">): AsyncGenerator<{ batch: Dataset; loadedBytes: number }> {
    let left = rowLimit("readArrow", maxRows);
    let batchIndex = 0;
    for await (const message of arrowMessages(this.#source, this.#name, this.#fail)) {
      signal?.throwIfAborted();
      if (message.kind === MESSAGE.schema) this.#readSchema(message.header);
      else if (message.kind === MESSAGE.dictionary) await this.#readDictionary(message);
      else if (message.kind === MESSAGE.batch) {
        const whole = await this.#readBatch(message, batchIndex++);
        const batch = whole.length > left ? whole.take(left) : whole;
        left -= batch.length;
        yield { batch, loadedBytes: message.bodyEnd };
      }
      if (left === 0) return;
    }
    if (this.#fields === undefined) this.#fail("it has no schema");
  }

  readonly #fail = (problem: string): never => {
    throw this.#damaged(problem);
  };

  #damaged(problem: string, cause?: unknown): FormatError {
    return new FormatError(
      `readArrow: ${this.#name} is damaged or no Arrow file; expected an Arrow stream or file, got one where ${problem}; write it again`,
      { source: this.#name, cause },
    );
  }

  #unreadable(expected: string, got: string): FormatError {
    return new FormatError(
      `readArrow: ${this.#name} cannot be read here; expected ${expected}, got ${got}; write it with Dataset.to_parquet or to_json of datasets`,
      { source: this.#name },
    );
  }

  #readSchema(header: FlatTable): void {
    if (this.#fields !== undefined) this.#fail("a second schema comes");
    const fields = readSchema(header, this.#fail, (column, type) => {
      throw this.#unreadable("columns of types that datasets reads", `${type} in ${shorten(column)}`);
    });
    if (fields.length === 0) this.#fail("its schema has no columns");
    this.#fields = fields;
  }

  /** A dictionary that comes again replaces the one before; one may also go on where it ended. */
  async #readDictionary({ header, bodyStart, bodyEnd }: ArrowMessage): Promise<void> {
    const id = header.count(0);
    const field = dictionaryField(this.#fields ?? [], id) ?? this.#fail(`the dictionary ${id} belongs to no column`);
    const values = await this.#vectors(
      header.table(1) ?? this.#fail("a dictionary is empty"),
      [{ ...field, dictionary: undefined }],
      bodyStart,
      bodyEnd,
    );
    const before = header.boolean(2) ? this.#dictionaries.get(id) : undefined;
    this.#dictionaries.set(id, memoized(before === undefined ? values[0]! : joined(before, values[0]!)));
  }

  async #readBatch({ header, bodyStart, bodyEnd }: ArrowMessage, index: number): Promise<Dataset> {
    const fields = this.#fields ?? this.#fail("rows come before its schema");
    const length = header.count(0);
    const vectors = await this.#vectors(header, fields, bodyStart, bodyEnd);
    const short = vectors.findIndex((vector) => vector.length !== length);
    if (short >= 0) this.#fail(`column ${fields[short]!.path} has ${vectors[short]!.length} values in a batch of ${length} rows`);
    const columns = vectors.map((vector, column) => this.#column(fields[column]!, vector, index));
    return Dataset.from(tableRows(columns, length));
  }

  async #vectors(batch: FlatTable, fields: readonly ArrowField[], bodyStart: number, bodyEnd: number): Promise<Vector[]> {
    if (batch.table(3) !== undefined) throw this.#unreadable("record batches without compression", "compressed ones");
    const bytes = await readBytes(this.#source, bodyStart, bodyEnd, this.#name);
    const parts = batchParts(batch, bytes, this.#dictionaries, (values) => this.#spend(values), this.#fail);
    return fields.map((field) => readVector(field, parts, this.#fail));
  }

  #spend(values: number): void {
    this.#valuesLeft -= values;
    if (this.#valuesLeft >= 0) return;
    const { byteLength } = this.#source;
    throw this.#unreadable(`${VALUES + VALUES_PER_BYTE * byteLength} values at most in ${byteLength} bytes, nulls included`, "more");
  }

  #column({ name, path }: ArrowField, vector: Vector, batch: number): TableColumn {
    return {
      name,
      at: (row) => {
        try {
          return vector.at(row);
        } catch (cause) {
          if (isKtoError(cause) && (cause as FormatError).source !== undefined) throw cause;
          throw this.#damaged(
            `column ${path}, row ${row} of batch ${batch}: ${cause instanceof Error ? cause.message : "it cannot be decoded"}`,
            cause,
          );
        }
      },
    };
  }
}

/** The field whose values lie in a dictionary. */
function dictionaryField(fields: readonly ArrowField[], id: number): ArrowField | undefined {
  for (const field of fields) {
    if (field.dictionary?.id === id) return field;
    const inside = dictionaryField(field.children, id);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** A dictionary whose texts are made once, however many rows have them. */
function memoized(values: Vector): Vector {
  const texts: unknown[] = [];
  const at = (index: number): unknown => {
    if (texts[index] !== undefined) return texts[index];
    const value = values.at(index);
    if (typeof value === "string") texts[index] = value;
    return value;
  };
  return { length: values.length, at };
}

function joined(first: Vector, second: Vector): Vector {
  return {
    length: first.length + second.length,
    at: (index) => (index < first.length ? first.at(index) : second.at(index - first.length)),
  };
}
