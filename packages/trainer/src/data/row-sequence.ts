/** Rows by their index: an array of them, or an object that makes each when it is asked for. */
export interface RowSequence<Row> extends Iterable<Row> {
  readonly length: number;
  at(index: number): Row | undefined;
  slice(start?: number, end?: number): Row[];
  /** What `change` makes of every row, all at once. */
  map<Mapped>(change: (row: Row, index: number) => Mapped): Mapped[];
  /** A row as long as that at `index`, whose ids say nothing: made without reading any, for planning. */
  sketchAt?(index: number): Row;
}

/** Rows that `at` makes when they are asked for; `sketchAt` where that can be done without reading. */
export function lazyRows<Row>(length: number, at: (index: number) => Row, sketchAt?: (index: number) => Row): RowSequence<Row> {
  const place = (index: number): number => Math.min(length, Math.max(0, index < 0 ? length + index : index));
  return {
    length,
    at(index) {
      const from = index < 0 ? length + index : index;
      return from >= 0 && from < length ? at(from) : undefined;
    },
    slice(start = 0, end = length) {
      const first = place(start);
      return Array.from({ length: Math.max(0, place(end) - first) }, (_, index) => at(first + index));
    },
    map: (change) => Array.from({ length }, (_, index) => change(at(index), index)),
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield at(index);
    },
    ...(sketchAt && { sketchAt }),
  };
}

/** What `change` makes of each row, when it is asked for. It must not look at ids. */
export function mappedRows<Row, Mapped>(rows: RowSequence<Row>, change: (row: Row, index: number) => Mapped): RowSequence<Mapped> {
  const sketchAt = sketchesOf(rows);
  return lazyRows(
    rows.length,
    (index) => change(rows.at(index)!, index),
    (index) => change(sketchAt(index), index),
  );
}

/** The rows at these indices, in their order. */
export function selectedRows<Row>(rows: RowSequence<Row>, indices: ArrayLike<number>): RowSequence<Row> {
  const sketchAt = sketchesOf(rows);
  return lazyRows(
    indices.length,
    (index) => rows.at(indices[index]!)!,
    (index) => sketchAt(indices[index]!),
  );
}

/** Reads rows for their lengths alone: as sketches, where there are such. */
export function sketchesOf<Row>(rows: RowSequence<Row>): (index: number) => Row {
  return (index) => rows.sketchAt?.(index) ?? rows.at(index)!;
}

/** Batches of rows in their order, for their lengths alone; one at a time. */
export function* sketchedBatches<Row>(rows: RowSequence<Row>, batchSize: number): Generator<Row[]> {
  for (let start = 0; start < rows.length; start += batchSize) yield sketchedRows(rows, start, Math.min(start + batchSize, rows.length));
}

/** Rows from `start` to `end`, for their lengths alone; those past the last are the first again. */
export function sketchedRows<Row>(rows: RowSequence<Row>, start: number, end: number): Row[] {
  const sketchAt = sketchesOf(rows);
  return Array.from({ length: end - start }, (_, index) => sketchAt((start + index) % rows.length));
}

/** Rows from `start` to `end`; those past the last are the first again. */
export function rowsAround<Row>(rows: RowSequence<Row>, start: number, end: number): Row[] {
  const found: Row[] = [];
  for (let at = start; at < end;) {
    const first = at % rows.length;
    const count = Math.min(end - at, rows.length - first);
    found.push(...rows.slice(first, first + count));
    at += count;
  }
  return found;
}
