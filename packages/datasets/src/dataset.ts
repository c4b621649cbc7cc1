import { ArgumentError, excerpt } from "@kto/core";
import { derivedFingerprint } from "./fingerprint.js";
import { randperm } from "./random.js";
import { selectedParts, type RowParts } from "./row-parts.js";

/** One row as it stands in a file: column name to value. */
export type DataRow = Record<string, unknown>;

/** Anything rows can be read from by index: an array, or an object that makes each row when it is asked for. */
export interface RowSource<Row> {
  readonly length: number;
  /** The names of all columns, where they are known without reading a row. */
  readonly columnNames?: readonly string[];
  /** What is the same only where all rows are; see {@link Dataset.fingerprint}. */
  readonly fingerprint?: string | undefined;
  /** Of rows that were put together of several datasets: those. */
  readonly parts?: RowParts | undefined;
  at(index: number): Row | undefined;
}

/** How far an operation over rows has come. */
export interface RowProgress {
  done: number;
  total: number;
}

/** Options of the operations that visit every row. */
export interface RowOptions {
  /** Called after every thousand rows and at the end. */
  onProgress?: (progress: RowProgress) => void;
}

/** Options of {@link Dataset.trainTestSplit}. */
export interface SplitOptions {
  /** Rows of the test part: a share below 1 (rounded up), or a whole number of rows. */
  testSize: number;
  /** Seed of the permutation; default 42. */
  seed?: number;
  /** `false` cuts the rows in their order, the last ones being the test part; default `true`. */
  shuffle?: boolean;
}

const ROWS_BETWEEN_REPORTS = 1000;

/**
 * An immutable sequence of rows with the operations of Hugging Face datasets that training needs.
 *
 * `select`, `take`, `shuffle` and `trainTestSplit` are views that copy no row; `map` and `filter` visit every row once, when they are called.
 * Rows themselves are shared, so treat them as read-only.
 */
export class Dataset<Row extends object = DataRow> implements Iterable<Row> {
  readonly #source: RowSource<Row>;
  #columnNames: readonly string[] | undefined;

  private constructor(source: RowSource<Row>, columnNames: readonly string[] | undefined = source.columnNames) {
    this.#source = source;
    this.#columnNames = columnNames;
  }

  /** A dataset over an array of rows, or over an object `{ length, at(index) }` that makes rows as they are read. Who gives a `fingerprint` vouches for it. */
  static from<Row extends object>(rows: RowSource<Row>): Dataset<Row> {
    return new Dataset(Array.isArray(rows) ? [...(rows as Row[])] : rows);
  }

  /**
   * The rows of several datasets one after the other, as a view that copies none.
   *
   * @param options.names  what each is called in messages: then each may have a layout of its own, which trainers read it by; see {@link Dataset.parts}
   */
  static concatenate<Row extends object>(parts: readonly Dataset<Row>[], { names }: { names?: readonly string[] } = {}): Dataset<Row> {
    if (parts.length === 1) return parts[0]!;
    const starts: number[] = [];
    let length = 0;
    for (const part of parts) {
      starts.push(length);
      length += part.length;
    }
    const at = (index: number): Row | undefined => {
      if (index >= length) return undefined;
      const part = lastAtMost(starts, index);
      return parts[part]!.at(index - starts[part]!);
    };
    const isNamed = parts.every((part) => part.#columnNames !== undefined);
    const fingerprint = derivedFingerprint(
      parts.map((part) => part.fingerprint),
      names ? `concatenate ${JSON.stringify(names)}` : "concatenate", // what is said of a part has its name
    );
    const own = names?.map((name, part) => ({ name, dataset: parts[part] as unknown as Dataset }));
    return new Dataset({
      length,
      at,
      fingerprint,
      parts: own && { parts: own, partOf: (index) => lastAtMost(starts, index) },
      ...(isNamed && { columnNames: [...new Set(parts.flatMap((part) => part.columnNames))] }),
    });
  }

  /** The rows of a dataset under a fingerprint that is known to be theirs. */
  static withFingerprint<Row extends object>(dataset: Dataset<Row>, fingerprint: string | undefined): Dataset<Row> {
    const source = dataset.#source;
    return new Dataset({ length: source.length, at: (index) => source.at(index), fingerprint, parts: source.parts }, dataset.#columnNames);
  }

  /** Number of rows. */
  get length(): number {
    return this.#source.length;
  }

  /**
   * What tells these rows from others: two datasets with one fingerprint have the same rows. Undefined where that is not known: for rows made in a program, after
   * `map`, and in browsers.
   */
  get fingerprint(): string | undefined {
    return this.#source.fingerprint;
  }

  /** The datasets that the rows come from, where they were put together under names and are as they were put together, but for their order and which they are. */
  get parts(): RowParts | undefined {
    return this.#source.parts;
  }

  /** Names of all columns that occur, in the order in which they are first met. Reads every row once where the file does not name them. */
  get columnNames(): readonly string[] {
    this.#columnNames ??= [...namesOf(this)];
    return this.#columnNames;
  }

  /** The row at `index`, counted from 0; throws `ArgumentError` outside the dataset. */
  at(index: number): Row {
    const row = Number.isInteger(index) && index >= 0 ? this.#source.at(index) : undefined;
    if (row === undefined) {
      throw new ArgumentError(`at: there is no row ${index}; expected 0 to ${this.length - 1}; check the index against length`);
    }
    return row;
  }

  *[Symbol.iterator](): Iterator<Row> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  /** The rows as a new array. */
  toArray(): Row[] {
    return [...this];
  }

  /** The rows at `indices`, in that order; throws `ArgumentError` for an index outside the dataset. */
  select(indices: Iterable<number>): Dataset<Row> {
    const chosen = Uint32Array.from(this.#checked(indices));
    const source = this.#source;
    const at = (index: number): Row | undefined => (index < chosen.length ? source.at(chosen[index]!) : undefined);
    const fingerprint = derivedFingerprint([source.fingerprint], "select", new Uint8Array(chosen.buffer));
    return new Dataset({ length: chosen.length, at, fingerprint, parts: selectedParts(source.parts, chosen) }, source.columnNames);
  }

  /** The first `count` rows, or all of them if there are fewer. */
  take(count: number): Dataset<Row> {
    if (!Number.isInteger(count) || count < 0) {
      throw new ArgumentError(`take: the count is not a number of rows; expected an integer of at least 0, got ${count}; pass e.g. 1000`);
    }
    const source = this.#source;
    const length = Math.min(count, source.length);
    const fingerprint = derivedFingerprint([source.fingerprint], `take ${length}`);
    const at = (index: number): Row | undefined => (index < length ? source.at(index) : undefined);
    return new Dataset({ length, at, fingerprint, parts: source.parts }, source.columnNames);
  }

  /**
   * The same rows with other names of columns, `{ question: "prompt" }`; each column stays in its place. Throws `ArgumentError` for a column that there
   * is not, and for a new name that another column has. No row is copied before it is read.
   */
  renameColumns(names: Readonly<Record<string, string>>): Dataset<DataRow> {
    const renamed = new Map(Object.entries(names));
    this.#expectColumns("renameColumns", renamed.keys());
    const after = this.columnNames.map((column) => renamed.get(column) ?? column);
    const twice = after.find((column, index) => after.indexOf(column) !== index);
    if (twice !== undefined) {
      throw new ArgumentError(
        `renameColumns: two columns would be called ${excerpt(twice)}; expected distinct names, got ${excerpt(names)}; remove one with removeColumns`,
      );
    }
    return this.#withEntries(after, { rename: [...renamed] }, (entries) =>
      entries.map(([column, value]) => [renamed.get(column) ?? column, value]),
    );
  }

  /** The same rows without some of their columns. Throws `ArgumentError` for a column that there is not. No row is copied before it is read. */
  removeColumns(columns: string | readonly string[]): Dataset<DataRow> {
    const removed = new Set([columns].flat());
    this.#expectColumns("removeColumns", removed);
    const after = this.columnNames.filter((column) => !removed.has(column));
    return this.#withEntries(after, { remove: [...removed] }, (entries) => entries.filter(([column]) => !removed.has(column)));
  }

  #withEntries(
    columnNames: readonly string[],
    step: object,
    change: (entries: [string, unknown][]) => [string, unknown][],
  ): Dataset<DataRow> {
    const source = this.#source;
    const at = (index: number): DataRow | undefined => {
      const row = source.at(index);
      return row && Object.fromEntries(change(Object.entries(row)));
    };
    const fingerprint = derivedFingerprint([source.fingerprint], JSON.stringify(step));
    return new Dataset<DataRow>({ length: this.length, at, fingerprint }, columnNames);
  }

  #expectColumns(operation: string, columns: Iterable<string>): void {
    for (const column of columns) {
      if (this.columnNames.includes(column)) continue;
      throw new ArgumentError(
        `${operation}: there is no column ${excerpt(column)}; expected one of ${excerpt(this.columnNames, 200)}, got ${excerpt(column)}; check its spelling`,
      );
    }
  }

  /** `transform` applied to every row, in order. */
  map<Mapped extends object>(transform: (row: Row, index: number) => Mapped, options: RowOptions = {}): Dataset<Mapped> {
    const mapped: Mapped[] = [];
    this.#visit(options, (row, index) => mapped.push(transform(row, index)));
    return new Dataset(mapped);
  }

  /** The rows for which `predicate` is true, in order. */
  filter(predicate: (row: Row, index: number) => boolean, options: RowOptions = {}): Dataset<Row> {
    const kept: number[] = [];
    this.#visit(options, (row, index) => {
      if (predicate(row, index)) kept.push(index);
    });
    return this.select(kept);
  }

  /** The rows in the order of torch's `randperm` under `seed`. */
  shuffle(seed = 42): Dataset<Row> {
    return this.select(randperm(this.length, seed));
  }

  /** Two disjoint parts, `test` being the first rows of the permutation. Throws `ArgumentError` when a part would be empty. */
  trainTestSplit({ testSize, seed = 42, shuffle = true }: SplitOptions): { train: Dataset<Row>; test: Dataset<Row> } {
    const numTest = testSize < 1 ? Math.ceil(testSize * this.length) : testSize;
    if (!Number.isInteger(numTest) || numTest < 1 || numTest >= this.length) {
      throw new ArgumentError(
        `trainTestSplit: testSize leaves a part without rows; expected a share in (0, 1) or 1 to ${this.length - 1} rows, got ${testSize} of ${this.length} rows; choose another testSize`,
      );
    }
    if (!shuffle) {
      const numTrain = this.length - numTest;
      return { train: this.take(numTrain), test: this.select(Array.from({ length: numTest }, (_, index) => numTrain + index)) };
    }
    const order = randperm(this.length, seed);
    return { train: this.select(order.subarray(numTest)), test: this.select(order.subarray(0, numTest)) };
  }

  *#checked(indices: Iterable<number>): Iterable<number> {
    for (const index of indices) {
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new ArgumentError(`select: there is no row ${index}; expected 0 to ${this.length - 1}; check the indices against length`);
      }
      yield index;
    }
  }

  #visit({ onProgress }: RowOptions, use: (row: Row, index: number) => void): void {
    const total = this.length;
    for (let index = 0; index < total; index++) {
      use(this.at(index), index);
      const done = index + 1;
      if (onProgress && (done % ROWS_BETWEEN_REPORTS === 0 || done === total)) onProgress({ done, total });
    }
  }
}

function namesOf(rows: Iterable<object>): Set<string> {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return names;
}

/** Place of the last of the ascending numbers that is at most `value`; the first is. Of equal ones it is the last. */
export function lastAtMost(ascending: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! <= value) low = middle;
    else high = middle;
  }
  return low;
}
