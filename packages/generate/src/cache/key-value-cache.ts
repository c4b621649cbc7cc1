import {
  causalAttention,
  decodeAttention,
  gatherRows,
  rotateRows,
  segmentBounds,
  writeRows,
  type Attend,
  type CausalLM,
  type Columns,
  type DecodeAttend,
  type Device,
  type HiddenStatesOptions,
  type Tensor,
} from "@kto/tensor";
import { GenerationError } from "../errors.js";
import { PageTable } from "./page-table.js";

/** Tokens of a page: few enough that the last page of a row, half empty on average, wastes little. */
export const pageSize = 64;

/** Pages that hold so many tokens of a row. */
export function pagesFor(numTokens: number): number {
  return Math.ceil(numTokens / pageSize);
}

/** Pages that a new cache has; it doubles when they are taken. */
const firstPages = 16;

/** What a cache that grows for a long prompt has room for beside it: its answer, which would make it grow again, with old and new pages there at once. */
const headroom = 1.125;

/** Tokens of a row that are in the cache, and the pages they are in. */
export interface CachedRow {
  /** Tokens whose keys and values are there. */
  length: number;
  /** Page p has the tokens from p · pageSize on. */
  pages: number[];
}

/** A row of a batch, and how many tokens of it are computed: they come after those that are cached. */
export interface RowPiece {
  row: CachedRow;
  numTokens: number;
}

/** Keys and values of every layer, in pages that rows of different lengths share. */
export class KeyValueCache implements Disposable {
  readonly #model: CausalLM;
  readonly #table = new PageTable();
  readonly #maxPages: number;
  /** Counts how often its tensors were replaced by larger ones. */
  version = 0;
  /** Of each layer, [numPages · pageSize, numKeyValueHeads · headDim]. */
  #layers: { keys: Tensor; values: Tensor }[] = [];

  /** @param maxTokens  tokens of all rows together at most; rounded up to whole pages */
  constructor(model: CausalLM, maxTokens: number) {
    this.#model = model;
    this.#maxPages = pagesFor(maxTokens);
  }

  /** Tokens that may be in it together. */
  get maxTokens(): number {
    return this.#maxPages * pageSize;
  }

  /** Pages that no row has, if it grows as far as it may. A row has whole pages, so that room is counted in them. */
  get freePages(): number {
    return this.#maxPages - this.#table.numPages + this.#table.numFree;
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return this.#layers.reduce((sum, { keys, values }) => sum + keys.byteLength + values.byteLength, 0);
  }

  /** Gives a row the pages for `numTokens` more than it has. Throws GenerationError when there are none left. */
  reserve(row: CachedRow, numTokens: number): void {
    const wanted = pagesFor(row.length + numTokens);
    const missing = wanted - row.pages.length - this.#table.numFree;
    if (missing > 0) this.#grow(this.#table.numPages + missing);
    while (row.pages.length < wanted) row.pages.push(this.#take());
  }

  /** What is thrown when it is full. */
  fullError(): GenerationError {
    return new GenerationError(
      {
        operation: "generate",
        problem: "the cache is full",
        expected: `at most ${this.maxTokens} tokens of all rows together`,
        advice: "raise {maxCachedTokens}, or answer fewer rows together",
        fields: ["maxCachedTokens"],
      },
      { option: "maxCachedTokens" },
    );
  }

  /** Forgets the tokens of a row from `length` on. */
  truncate(row: CachedRow, length: number): void {
    row.length = Math.min(row.length, length);
    for (const page of row.pages.splice(pagesFor(row.length))) this.#table.give(page);
  }

  /**
   * Attention for a forward pass over these pieces, in this order, which keeps their keys and values. The pages must be reserved; `length` of the rows is
   * the caller's to raise when the pass is recorded. What it makes lives in the current scope.
   */
  attend(pieces: readonly RowPiece[]): Attend {
    if (pieces.every(({ numTokens }) => numTokens === 1)) {
      const newest = this.newest(decodePlaces(this.#model.device, pieces));
      const all = (tensor: Tensor): Columns => ({ tensor, first: 0 });
      return (layer, q, k, v) => newest(layer, { q: all(q), k: all(k), v: all(v) });
    }
    const slots = this.#slotsOf(pieces);
    const attend = this.#attendKept(pieces);
    return (layer, q, k, v) => {
      const { keys, values } = this.#layers[layer]!;
      writeRows(keys, k, slots);
      writeRows(values, v, slots);
      return attend(layer, q, k, v);
    };
  }

  /** The same for models that give projections before their rotation. */
  attendProjected(pieces: readonly RowPiece[]): NonNullable<HiddenStatesOptions["attendProjected"]> {
    const slots = this.#slotsOf(pieces);
    const attend = this.#attendKept(pieces);
    const { attentionHeads, dtype } = this.#model;
    return (layer, inputs) => {
      const { q, k, v } = rotateRows(inputs, { ...this.#layers[layer]!, slots }, { ...attentionHeads, dtype });
      return attend(layer, q, k, v);
    };
  }

  #slotsOf(pieces: readonly RowPiece[]): Tensor {
    return places(
      this.#model.device,
      pieces.map(({ row, numTokens }) => [row, row.length, row.length + numTokens]),
    );
  }

  /** Attention over what is kept of the rows, these pieces included: k and v of rows that begin here are read where they come from. */
  #attendKept(pieces: readonly RowPiece[]): Attend {
    const { device, attentionHeads: heads, dtype } = this.#model;
    const lengths = pieces.map(({ numTokens }) => numTokens);
    if (pieces.every(({ row }) => row.length === 0)) {
      const bounds = segmentBounds(device, lengths);
      return (_layer, q, k, v) => causalAttention(q, k, v, { ...heads, ...bounds, dtype });
    }
    const numKeys = pieces.reduce((sum, { row, numTokens }) => sum + row.length + numTokens, 0);
    const all = places(
      device,
      pieces.map(({ row, numTokens }) => [row, 0, row.length + numTokens]),
      2 ** Math.ceil(Math.log2(numKeys)), // so that the pieces of a long prompt, each with more keys than the one before, use the same buffers
    );
    const bounds = segmentBounds(
      device,
      lengths,
      pieces.map(({ row, numTokens }) => row.length + numTokens),
    );
    return (layer, q) => {
      const { keys, values } = this.#layers[layer]!;
      return causalAttention(q, gatherRows(keys, all), gatherRows(values, all), { ...heads, ...bounds, dtype });
    };
  }

  /** Attention for the newest token of rows, whose keys and values are kept: the pages must be reserved, `length` is the caller's to raise. */
  newest(places: RowPlaces): DecodeAttend {
    const { attentionHeads, dtype } = this.#model;
    return (layer, inputs) => decodeAttention(inputs, { ...this.#layers[layer]!, ...places, pageSize }, { ...attentionHeads, dtype });
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) for (const tensor of [keys, values]) tensor.dispose();
    this.#layers = [];
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #take(): number {
    const page = this.#table.take();
    if (page !== undefined) return page;
    throw this.fullError();
  }

  /** Twice as many pages, or at least so many, with what is in those that there are: for a long prompt once, since old pages are no memory for new ones. */
  #grow(leastPages: number): void {
    const numPages = Math.min(this.#maxPages, Math.max(firstPages, 2 * this.#table.numPages, Math.ceil(leastPages * headroom)));
    if (numPages === this.#table.numPages) return;
    const { device, numHiddenLayers, dtype, attentionHeads } = this.#model;
    const width = attentionHeads.numKeyValueHeads * attentionHeads.headDim;
    const larger = (name: string, old: Tensor | undefined): Tensor => {
      const tensor = device.unscoped(() => device.empty([numPages * pageSize, width], dtype, name));
      if (old) {
        using start = device.unscoped(() => device.viewOf(tensor, old.shape, 0, name));
        device.copyInto(start, old);
        old.dispose();
      }
      return tensor;
    };
    this.#layers = Array.from({ length: numHiddenLayers }, (_, layer) => ({
      keys: larger("cached keys", this.#layers[layer]?.keys),
      values: larger("cached values", this.#layers[layer]?.values),
    }));
    this.#table.grow(numPages);
    this.version += 1;
  }
}

/** Where tokens [start, end) of rows lie: [numTokens] u32. */
function places(device: Device, ranges: readonly [row: CachedRow, start: number, end: number][], rowCapacity?: number): Tensor {
  const slots = ranges.flatMap(([{ pages }, start, end]) =>
    Array.from({ length: end - start }, (_, index) => slotOf(pages, start + index)),
  );
  return device.tensor(slots, [slots.length], "u32", "cache slots", rowCapacity);
}

function slotOf(pages: readonly number[], token: number): number {
  return pages[Math.floor(token / pageSize)]! * pageSize + (token % pageSize);
}

/** Where the rows of a pass lie whose newest token is computed. */
export interface RowPlaces {
  /** [numRows, pagesPerRow] u32 */
  pages: Tensor;
  /** [numRows] u32, the newest token included */
  lengths: Tensor;
}

function decodePlaces(device: Device, pieces: readonly RowPiece[]): RowPlaces {
  const pagesPerRow = Math.max(...pieces.map(({ row }) => row.pages.length));
  const table = pieces.flatMap(({ row }) => Array.from({ length: pagesPerRow }, (_, page) => row.pages[page] ?? 0));
  const lengths = pieces.map(({ row }) => row.length + 1);
  return {
    pages: device.tensor(table, [pieces.length, pagesPerRow], "u32", "cache pages"),
    lengths: device.tensor(lengths, [lengths.length], "u32", "cached lengths"),
  };
}
