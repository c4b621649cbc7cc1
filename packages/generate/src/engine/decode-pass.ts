import { collect, matrixRows, sample, type Capture, type Tensor } from "@kto/tensor";
import { pageSize } from "../cache/key-value-cache.js";
import { DrawnIds } from "./drawn-ids.js";
import { askedLogProbs, lastPlaces, packedSettings, type ForwardParts } from "./forward.js";
import type { Row } from "./row.js";

/** Words between the starts of two views of a buffer are a multiple of this. */
const alignment = 64;

/** Pages that a pass has room for in each row at first: it is taken down again when a row needs more. */
const fewestPages = 4;

/** Runs a body while the adapters of the rows act. */
export type WithAdapters = <T>(body: () => T) => T;

/**
 * The pass that draws the next id of each of these rows from the one that it drew last, taken down once and run as often as the rows stay the same: what differs
 * from run to run lies in one small tensor, which the host writes. Owns it, and the ids; dispose it.
 */
export class DecodePass implements Disposable {
  readonly rows: readonly Row[];
  /** [numRows] u32, of the last run. */
  readonly drawn: DrawnIds;
  readonly #parts: ForwardParts;
  readonly #cacheVersion: number;
  readonly #pagesPerRow: number;
  /** Lengths, sampling settings and pages of the rows, one section after another. */
  readonly #state: Tensor;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #settingsStart: number;
  readonly #pagesStart: number;
  #numPages = -1;
  readonly #capture: Capture<Tensor | undefined>;

  /** @param rows  past their prompts, each with room for its next token reserved; the model has `decode` */
  constructor(parts: ForwardParts, rows: readonly Row[], withAdapters: WithAdapters) {
    const { model, cache, seen } = parts;
    const { device } = model;
    this.#parts = parts;
    this.rows = rows;
    this.#cacheVersion = cache.version;
    this.#pagesPerRow = 2 ** Math.ceil(Math.log2(Math.max(fewestPages, ...rows.map(({ cached }) => cached.pages.length))));
    const settingsSize = packedSettings(rows).length;
    this.#settingsStart = aligned(rows.length);
    this.#pagesStart = this.#settingsStart + aligned(settingsSize);
    this.#words = new Uint32Array(this.#pagesStart + rows.length * this.#pagesPerRow);
    this.#state = device.unscoped(() => device.empty([this.#words.length], "u32", "state of a pass"));
    const view = (shape: number[], start: number): Tensor => device.viewOf(this.#state, shape, 4 * start, "state of a pass");
    const ids = device.unscoped(() => collect(lastPlaces(rows), matrixRows(rows.length)));
    const maxLength = Math.min(this.#pagesPerRow * pageSize, model.maxPositionEmbeddings);
    model.prepareDecode?.(maxLength);
    const body = (): Tensor | undefined => {
      const lengths = view([rows.length], 0);
      const settings = view([rows.length, settingsSize / rows.length], this.#settingsStart);
      const pages = view([rows.length, this.#pagesPerRow], this.#pagesStart);
      const logits = model.decode!({ inputIds: ids, maxLength, attend: cache.newest({ pages, lengths }) });
      sample(logits, settings, seen, { into: ids });
      return askedLogProbs(logits, ids, rows);
    };
    this.#capture = withAdapters(() => device.capture(body));
    this.drawn = new DrawnIds(ids, this.#capture.result).use();
  }

  /** Whether it is the pass of these rows still: where the cache or a row grew out of it, it is not. */
  serves(rows: readonly Row[]): boolean {
    return (
      this.#cacheVersion === this.#parts.cache.version &&
      rows.length === this.rows.length &&
      rows.every((row, index) => row === this.rows[index] && row.cached.pages.length <= this.#pagesPerRow)
    );
  }

  /** Records it; the room for a token of each row is reserved. */
  run(): void {
    this.#write();
    this.#capture.run();
    this.rows.forEach((row, index) => {
      row.cached.length += 1;
      row.numDrawn += 1;
      row.last = { drawn: this.drawn, index };
    });
  }

  dispose(): void {
    this.#capture.dispose();
    this.#state.dispose();
    this.drawn.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What this run is about; pages only where a row has got one. */
  #write(): void {
    const words = this.#words;
    this.rows.forEach((row, index) => {
      words[index] = row.cached.length + 1;
      words.set(row.cached.pages, this.#pagesStart + index * this.#pagesPerRow);
    });
    words.set(packedSettings(this.rows), this.#settingsStart);
    const numPages = this.rows.reduce((sum, { cached }) => sum + cached.pages.length, 0);
    const end = numPages === this.#numPages ? this.#pagesStart : words.length;
    this.#numPages = numPages;
    this.#parts.model.device.writeBytes(this.#state, new Uint8Array(words.buffer, 0, 4 * end));
  }
}

function aligned(words: number): number {
  return Math.ceil(words / alignment) * alignment;
}
