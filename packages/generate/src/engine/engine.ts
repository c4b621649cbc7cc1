import { packSeen, seenSize, type CausalLM, type Reader, type Tensor } from "@kto/tensor";
import { KeptRows, type FrequenciesAt, type SharedBeginning } from "../cache/kept-rows.js";
import { KeyValueCache, pagesFor, pageSize } from "../cache/key-value-cache.js";
import { DecodePass, type WithAdapters } from "./decode-pass.js";
import type { DrawnIds, ReadIds } from "./drawn-ids.js";
import { canDecode, forward, type RowStep } from "./forward.js";
import { adaptersOf, byAdapters, byFrequencies, frequenciesAtOf, tokensAlike } from "./pass-groups.js";
import { Row, type RowRequest } from "./row.js";

/** How many rows an engine answers together, and what it may keep. */
export interface EngineOptions {
  /** Rows that are answered together; more wait. Default 32. */
  maxRows?: number | undefined;
  /** Tokens of all rows together in the cache. Default: 32,768, at least one context, and no more than `maxRows` contexts, or two. */
  maxCachedTokens?: number | undefined;
  /** Runs a pass with adapters acting: `PeftModel.withAdapters`. */
  withAdapters?: (<T>(names: readonly string[], body: () => T) => T) | undefined;
}

/** Tokens in the cache where nobody says: at 1.5 billion parameters a gigabyte. It grows up to there as it is needed. */
const defaultCachedTokens = 32_768;

/** Tokens of prompts that one pass computes at most, so that rows that are past theirs do not wait long and activations stay small. */
const promptTokensPerPass = 2048;

/** Passes that are recorded ahead of what the host has read: the device never waits for it, and few draws are in vain. */
const passesAhead = 3;

/** Pages that every row has room to grow by when another joins: without them rows would join only to be put back. */
const sparePages = 2;

/** Ids that are on their way to the host. */
interface Reading {
  rows: readonly Row[];
  drawn: DrawnIds;
  read: Promise<ReadIds>;
}

/**
 * Answers rows together that come and go at any time: prompts join in pieces, rows that are past theirs take one token a pass, those that end leave. What is
 * drawn stays on the device; the host reads behind. What a row gets depends on it alone. Rows take pages as they grow: where none is left, the one that joined
 * last is put back to those that wait, and is computed again when there is room. Owns its cache, not the model.
 */
export class GenerationEngine implements Disposable {
  readonly #model: CausalLM;
  readonly #cache: KeyValueCache;
  readonly #seen: Tensor;
  /** Of ids. */
  readonly #reader: Reader;
  readonly #freeSeenRows: number[];
  readonly #withAdapters: EngineOptions["withAdapters"];
  readonly #frequenciesAt: FrequenciesAt | undefined;
  /** After `#rows` in the order in which all were started. */
  readonly #waiting: Row[] = [];
  #rows: Row[] = [];
  readonly #kept: KeptRows;
  readonly #readings: Reading[] = [];
  /** By the adapters that act, as long as there are rows. */
  readonly #passes = new Map<string, DecodePass>();
  #isRunning = false;
  #isDisposed = false;

  constructor(model: CausalLM, { maxRows = 32, maxCachedTokens, withAdapters }: EngineOptions = {}) {
    const { device, vocabSize, maxPositionEmbeddings } = model;
    this.#model = model;
    const context = pagesFor(maxPositionEmbeddings) * pageSize;
    this.#cache = new KeyValueCache(
      model,
      maxCachedTokens ?? Math.max(context, Math.min(Math.max(2, maxRows) * context, defaultCachedTokens)),
    );
    this.#frequenciesAt = frequenciesAtOf(model);
    this.#kept = new KeptRows(this.#cache, this.#frequenciesAt);
    this.#seen = device.unscoped(() => device.zeros([maxRows, seenSize(vocabSize)], "u32", "seen ids"));
    this.#reader = device.reader(4 * maxRows);
    this.#freeSeenRows = Array.from({ length: maxRows }, (_, index) => maxRows - 1 - index);
    this.#withAdapters = withAdapters;
  }

  /** Rows that are answered or wait. */
  get numRows(): number {
    return this.#rows.length + this.#waiting.length;
  }

  /** Bytes of the cache on the device. */
  get cacheBytes(): number {
    return this.#cache.byteLength;
  }

  /** Takes a row in; its ids come as they are read. */
  start(request: RowRequest): Row {
    const row = new Row(request);
    this.#waiting.push(row);
    if (!this.#isRunning) void this.#run();
    return row;
  }

  /** Ends what is under way; the rows end as cancelled. */
  dispose(): void {
    this.#isDisposed = true;
    for (const row of [...this.#rows, ...this.#waiting]) row.finish("cancelled");
    if (!this.#isRunning) this.#free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #free(): void {
    this.#cache.dispose();
    this.#seen.dispose();
    this.#reader.dispose();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve(); // rows that are started together join together
    try {
      while (this.#rows.length > 0 || this.#waiting.length > 0 || this.#readings.length > 0) {
        this.#leave();
        this.#join();
        this.#makeRoom();
        const hasWork = this.#record();
        if (this.#isAwaited()) {
          await this.#readOne();
          // Whoever waits for these ids goes on before the next pass is taken down.
          if (this.#rows.some(({ finishReason }) => finishReason === undefined)) await new Promise((resolve) => setTimeout(resolve));
        } else if (this.#readings.length > (hasWork ? passesAhead : 0)) await this.#readOne();
      }
    } catch (error) {
      for (const row of [...this.#rows, ...this.#waiting]) row.fail(error);
      for (const { drawn } of this.#readings.splice(0)) drawn.release();
      this.#leave();
    }
    for (const pass of this.#passes.values()) pass.dispose();
    this.#passes.clear();
    this.#isRunning = false;
    if (this.#isDisposed) this.#free();
  }

  /** Rows that ended give back what they had. */
  #leave(): void {
    for (const row of this.#rows) {
      if (row.finishReason === undefined) continue;
      const ids = [...row.request.promptIds, ...row.ids];
      this.#cache.truncate(row.cached, ids.length); // what was computed for draws in vain is not kept
      const { cached, request } = row;
      const promptLength = request.promptIds.length;
      if (cached.length > 0) this.#kept.add({ ids: ids.slice(0, cached.length), adapters: adaptersOf(row), cached, promptLength });
      this.#freeSeenRows.push(row.seenRow!);
      row.last = undefined;
    }
    this.#rows = this.#rows.filter((row) => row.finishReason === undefined);
    for (let at = this.#waiting.length - 1; at >= 0; at--) if (this.#waiting[at]!.finishReason !== undefined) this.#waiting.splice(at, 1);
  }

  /**
   * Rows that wait come in, in their order, while there is room for what is computed of each, and for all to grow a little. What is kept of others goes first,
   * what the row goes on from does not.
   */
  #join(): void {
    while (this.#waiting.length > 0 && this.#freeSeenRows.length > 0) {
      const row = this.#waiting[0]!;
      if (row.ids.length < row.numDrawn) return; // it was put back, and ids of it are on their way
      row.given = [...row.request.promptIds, ...row.ids];
      const shared = this.#kept.sharedBy({ ids: row.given, adapters: adaptersOf(row), promptLength: row.request.promptIds.length });
      const givenPages = pagesFor(row.given.length);
      const spare = this.#rows.reduce((sum, other) => sum + spareOf(other, other.cached.pages.length), spareOf(row, givenPages));
      const needed = givenPages + spare - (shared?.kept.cached.pages.length ?? 0);
      while (needed > this.#cache.freePages) if (!this.#kept.forgetFirst(shared?.kept)) break;
      if (needed > this.#cache.freePages && this.#rows.length > 0) return;
      this.#waiting.shift();
      if (row.given.length > this.#cache.maxTokens) row.fail(this.#cache.fullError());
      else this.#takeIn(row, shared);
    }
  }

  #takeIn(row: Row, shared: SharedBeginning | undefined): void {
    if (shared) row.cached = this.#kept.take(shared);
    if (row.numDrawn === 0) row.numReused = row.cached.length;
    this.#cache.reserve(row.cached, row.given.length - row.cached.length);
    row.seenRow = this.#freeSeenRows.pop()!;
    const seen = packSeen(row.given, this.#model.vocabSize);
    this.#model.device.writeBytes(this.#seen, new Uint8Array(seen.buffer), row.seenRow * seen.byteLength);
    this.#rows.push(row);
  }

  /** A page for the next token of every row. Where none is left, rows that ended are forgotten, then the row that joined last makes way, the first never. */
  #makeRoom(): void {
    for (let at = 0; at < this.#rows.length; at++) {
      const row = this.#rows[at]!;
      if (!row.isOpen) continue;
      const lacksPage = (): boolean => pagesFor(row.cached.length + 1) - row.cached.pages.length > this.#cache.freePages;
      while (at < this.#rows.length && lacksPage()) {
        if (this.#kept.forgetFirst()) continue;
        if (this.#rows.length > 1) this.#putBack(this.#rows.pop()!);
        else return row.fail(this.#cache.fullError());
      }
      if (at < this.#rows.length) this.#cache.reserve(row.cached, 1);
    }
  }

  /** To the rows that wait, before all that were started after it. What is under way of it still comes; how many were drawn stays. */
  #putBack(row: Row): void {
    this.#cache.truncate(row.cached, 0);
    this.#freeSeenRows.push(row.seenRow!);
    row.seenRow = undefined;
    row.last = undefined;
    this.#passes.get(adaptersOf(row))?.dispose(); // it would go on from the row's last id there
    this.#passes.delete(adaptersOf(row));
    this.#waiting.unshift(row);
  }

  /** Records the next pass of every row; false when there is none to record. */
  #record(): boolean {
    const open = this.#rows.filter((row) => row.isOpen);
    for (const [key, rows] of byAdapters(open)) {
      const { adapters } = rows[0]!.request;
      const withAdapters: WithAdapters = (body) =>
        adapters === undefined || !this.#withAdapters ? body() : this.#withAdapters(adapters, body);
      this.#pass(rows, key, withAdapters);
    }
    return open.length > 0;
  }

  /** A piece of the prompts that there are, in a pass of its own, and a token of each row that is past its prompt. */
  #pass(rows: readonly Row[], key: string, withAdapters: WithAdapters): void {
    let left = promptTokensPerPass;
    const prompts = rows.flatMap((row): RowStep[] => {
      const numTokens = tokensAlike(row, Math.min(row.givenLeft, left), this.#frequenciesAt);
      left -= numTokens;
      return numTokens > 0 ? [{ row, numTokens }] : [];
    });
    const answers = rows.filter((row) => row.givenLeft === 0);
    if (prompts.length > 0) this.#forward(prompts, withAdapters);
    if (answers.length === 0) return;
    if (canDecode(this.#model)) this.#decode(answers, key, withAdapters);
    else
      this.#forward(
        answers.map((row) => ({ row, numTokens: 1 })),
        withAdapters,
      );
  }

  #forward(steps: readonly RowStep[], withAdapters: WithAdapters): void {
    for (const alike of byFrequencies(steps, this.#frequenciesAt)) {
      const { rows, drawn } = withAdapters(() => forward({ model: this.#model, cache: this.#cache, seen: this.#seen }, alike));
      if (drawn) this.#read(rows, drawn);
    }
  }

  /** A token of each row, through the pass that was taken down for them. */
  #decode(rows: readonly Row[], key: string, withAdapters: WithAdapters): void {
    let pass = this.#passes.get(key);
    if (!pass?.serves(rows)) {
      pass?.dispose();
      pass = new DecodePass({ model: this.#model, cache: this.#cache, seen: this.#seen }, rows, withAdapters);
      this.#passes.set(key, pass);
    }
    pass.run();
    this.#read(rows, pass.drawn.use());
  }

  /** All rows wait for their first id: it is read before anything else is done, which would only delay it. */
  #isAwaited(): boolean {
    const [reading] = this.#readings;
    return reading !== undefined && reading.rows.length === this.#rows.length && reading.rows.every((row) => row.ids.length === 0);
  }

  /** Sends ids on their way to the host, which gives up one use of them. */
  #read(rows: readonly Row[], drawn: DrawnIds): void {
    const read = drawn.read(this.#reader);
    read.catch(() => {}); // whoever reads it throws
    this.#readings.push({ rows, drawn, read });
  }

  async #readOne(): Promise<void> {
    const { rows, drawn, read } = this.#readings[0]!;
    const { ids, logprobs } = await read;
    this.#readings.shift();
    rows.forEach((row, index) => row.deliver(ids[index]!, logprobs?.[index]));
    drawn.release();
  }
}

/** Pages that a row that has so many is to have room for besides. */
function spareOf({ request }: Row, numPages: number): number {
  return Math.min(sparePages, pagesFor(request.promptIds.length + request.maxNewTokens) - numPages);
}
