import { decodeIds, encodeIds } from "./id-bytes.js";
import { GrowingArray } from "./growing-array.js";
import type { ScoredRow } from "./rows.js";
import type { TokenBytes } from "./token-cache.js";

/** Tokenised rows: numbers of each in typed arrays, 25 bytes a row, and their ids in bytes that are read when they are asked for. */
export interface TokenTable {
  readonly length: number;
  /** Index of each row in the data as it was gone through (pairs: unpaired). */
  readonly places: Uint32Array;
  readonly promptLengths: Uint32Array;
  readonly completionLengths: Uint32Array;
  /** 1 for a desirable row, 0 for another. */
  readonly labels: Uint8Array;
  /** Reads the ids of a row. */
  rowAt(index: number): ScoredRow;
  /** The lengths of a row as ids that say nothing. Under a mask as many tokens are scored, but they are the first ones; that the very first is scored is true of the row too. */
  sketchAt(index: number): ScoredRow;
}

/** A row as bytes: its ids, and behind them a bit for each token of the completion where some are not scored. */
export interface EncodedRow {
  bytes: Uint8Array;
  promptLength: number;
  completionLength: number;
  /** One more than the scored tokens of a row that has a mask; 0 for one without. */
  scored: number;
}

/** A row as bytes. */
export function encodeRow({ promptIds, completionIds, scoredMask }: ScoredRow): EncodedRow {
  const ids = encodeIds([promptIds, completionIds]);
  const sizes = { promptLength: promptIds.length, completionLength: completionIds.length };
  if (scoredMask === undefined) return { bytes: ids, ...sizes, scored: 0 };
  const bytes = new Uint8Array(ids.byteLength + Math.ceil(completionIds.length / 8));
  bytes.set(ids);
  let numScored = 0;
  scoredMask.forEach((isScored, at) => {
    bytes[ids.byteLength + (at >>> 3)]! |= isScored << (at & 7);
    numScored += isScored;
  });
  return { bytes, ...sizes, scored: numScored + 1 };
}

/** Where a row stands, and what it is. */
export interface TableRow {
  place: number;
  label: boolean;
}

/** Columns of a table, an entry a row. */
interface Columns {
  ends: Float64Array;
  places: Uint32Array;
  promptLengths: Uint32Array;
  completionLengths: Uint32Array;
  scored: Uint32Array;
  labels: Uint8Array;
}

/** Puts rows together to a table. */
export class TableBuilder {
  readonly #columns = {
    ends: new GrowingArray(new Float64Array(0)),
    places: new GrowingArray(new Uint32Array(0)),
    promptLengths: new GrowingArray(new Uint32Array(0)),
    completionLengths: new GrowingArray(new Uint32Array(0)),
    scored: new GrowingArray(new Uint32Array(0)),
    labels: new GrowingArray(new Uint8Array(0)),
  };
  readonly #bytes: TokenBytes & { append(bytes: Uint8Array): void };
  #end = 0;

  constructor(bytes: TokenBytes & { append(bytes: Uint8Array): void }) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#columns.places.length;
  }

  /** Adds a row, as it is or encoded. */
  add(given: ScoredRow | EncodedRow, { place, label }: TableRow): void {
    const { bytes, promptLength, completionLength, scored } = "bytes" in given ? given : encodeRow(given);
    this.#bytes.append(bytes);
    this.#end += bytes.byteLength;
    this.#columns.ends.push(this.#end);
    this.#columns.places.push(place);
    this.#columns.promptLengths.push(promptLength);
    this.#columns.completionLengths.push(completionLength);
    this.#columns.scored.push(scored);
    this.#columns.labels.push(label ? 1 : 0);
  }

  /** The columns as bytes, for a cache. */
  index(): Uint8Array {
    const index = new Uint8Array(indexBytes(this.length));
    const columns = columnsIn(index, this.length);
    for (const name of Object.keys(columns) as (keyof Columns)[]) columns[name].set(this.#columns[name].toArray());
    return index;
  }

  table(): TokenTable {
    return openTable(this.length, this.index(), this.#bytes);
  }
}

/** The table of `length` rows whose columns were kept as `index`. */
export function openTable(length: number, index: Uint8Array, bytes: TokenBytes): TokenTable {
  return tableOf(columnsIn(index, length), bytes);
}

/** How many bytes `openTable` takes for so many rows. */
export function indexBytes(length: number): number {
  return 25 * length;
}

/** The columns of `length` rows as they lie in an index, one behind the other; it is copied only where numbers of eight bytes cannot begin where it does. */
function columnsIn(index: Uint8Array, length: number): Columns {
  const { buffer, byteOffset } = index.byteOffset % 8 === 0 ? index : new Uint8Array(index);
  const numbers = (bytesBefore: number): Uint32Array => new Uint32Array(buffer, byteOffset + bytesBefore * length, length);
  return {
    ends: new Float64Array(buffer, byteOffset, length),
    places: numbers(8),
    promptLengths: numbers(12),
    completionLengths: numbers(16),
    scored: numbers(20),
    labels: new Uint8Array(buffer, byteOffset + 24 * length, length),
  };
}

function tableOf({ ends, places, promptLengths, completionLengths, scored, labels }: Columns, bytes: TokenBytes): TokenTable {
  return {
    length: places.length,
    places,
    promptLengths,
    completionLengths,
    labels,
    rowAt(index) {
      const read = bytes.read(index === 0 ? 0 : ends[index - 1]!, ends[index]!);
      const length = completionLengths[index]!;
      const [promptIds, completionIds] = decodeIds(read, [promptLengths[index]!, length]) as [number[], number[]];
      if (scored[index] === 0) return { promptIds, completionIds };
      const bits = read.subarray(read.byteLength - Math.ceil(length / 8));
      return { promptIds, completionIds, scoredMask: completionIds.map((_, at) => (bits[at >>> 3]! >>> (at & 7)) & 1) };
    },
    sketchAt(index) {
      const row = { promptIds: zeros(promptLengths[index]!), completionIds: zeros(completionLengths[index]!) };
      if (scored[index] === 0) return row;
      const end = scored[index]! - 1;
      return { ...row, scoredMask: row.completionIds.map((_, at) => (at < end ? 1 : 0)) };
    },
  };
}

const lists = new Map<number, readonly number[]>();
/** Longer lists are seldom of a length that comes again. */
const MAX_KEPT_LENGTH = 4096;

/** So many ids that say nothing. */
function zeros(length: number): readonly number[] {
  const known = lists.get(length);
  if (known) return known;
  const list: readonly number[] = new Array<number>(length).fill(0);
  if (length <= MAX_KEPT_LENGTH) lists.set(length, list);
  return list;
}
