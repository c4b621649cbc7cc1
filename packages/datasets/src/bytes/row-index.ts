import type { ByteSource } from "@kto/core";
import type { ReadOptions } from "../source.js";
import { headOf, utf8Pieces } from "./utf8.js";

/** Where indexes of the rows of large files are kept from one start to the next. `rowIndexFolder` of `@kto/kit/node` is a folder. */
export interface RowIndexStore {
  /** The entry of a key, if there is one that is whole. */
  open(key: readonly (string | Uint8Array)[], signal?: AbortSignal): Promise<{ index: Uint8Array; facts: string } | undefined>;
  /** An entry to fill; undefined where nothing can be written. */
  create(key: readonly (string | Uint8Array)[]): Promise<RowIndexWriter | undefined>;
}

/** An entry that is being made. */
export interface RowIndexWriter {
  /** Makes it an entry, whole or not at all. */
  finish(index: Uint8Array, facts: string): Promise<unknown>;
  /** Leaves nothing of it. */
  discard(): void;
}

/** What is known of the rows of a file besides where they begin. JSON. */
export interface IndexFacts {
  columnNames: string[];
  /** What `NumberTypes` learnt of its rows. */
  types: unknown;
}

/** The index of a file. */
export interface RowIndex {
  facts: IndexFacts;
  /** What `RecordStore.index` gave. */
  index: Uint8Array;
}

/** Raised when the same bytes have another index than before. */
const INDEX_VERSION = 1;

/** The index of one file in a store: found by its size and its first bytes, and taken where all of its bytes have the sum that they had. */
export class KeptIndex {
  readonly #store: RowIndexStore;
  readonly #source: ByteSource;
  readonly #contents: () => string | undefined;

  /** @param contents  the sum of all bytes of the source, once all were read */
  constructor(store: RowIndexStore, source: ByteSource, contents: () => string | undefined) {
    this.#store = store;
    this.#source = source;
    this.#contents = contents;
  }

  /** The index, if there is one of just these bytes. All of them are then read, and none is looked into. */
  async open({ name = "data", signal, onProgress }: ReadOptions): Promise<RowIndex | undefined> {
    const stored = await this.#store.open(await this.#key(), signal);
    if (!stored) return undefined;
    const { contents, ...facts } = JSON.parse(stored.facts) as IndexFacts & { contents: string };
    for await (const { loadedBytes } of utf8Pieces(this.#source, name, signal))
      onProgress?.({ loadedBytes, totalBytes: this.#source.byteLength, rows: 0 });
    return contents === this.#contents() ? { facts, index: stored.index } : undefined;
  }

  /** Keeps the index of the bytes, all of which were read. */
  async keep({ facts, index }: RowIndex): Promise<void> {
    const contents = this.#contents();
    const writer = contents === undefined ? undefined : await this.#store.create(await this.#key());
    try {
      await writer?.finish(index, JSON.stringify({ ...facts, contents }));
    } catch (error) {
      writer!.discard();
      throw error;
    }
  }

  async #key(): Promise<(string | Uint8Array)[]> {
    return [`rows of JSON ${INDEX_VERSION}`, String(this.#source.byteLength), await headOf(this.#source)];
  }
}
