import { RowMistakes, type DataNote, type DataNotes, type DataRow } from "@kto/datasets";
import { reportProgress, type PrepareOptions } from "./prepare-options.js";
import type { Tokenizing } from "./row-job.js";
import { orEmpty, type DropReason, type ScoredRow } from "./rows.js";
import { cacheKey } from "./cache-key.js";
import { indexBytes, openTable, TableBuilder, type EncodedRow, type TokenTable } from "./token-table.js";
import { TokensInMemory, type KeyPart, type StoredTokens, type TokenBytes, type TokenWriter } from "./token-cache.js";
import { tokenizeOnWorkers } from "./on-workers.js";

/** Rows that were looked at and can be tokenised. */
export interface CheckedSource<Facts> {
  length: number;
  /** Rows of the dataset, which several of these may come from. */
  numSourceRows: number;
  facts: Facts;
  /** Index in the dataset of row `index`. */
  sourceIndex(index: number): number;
  /** Rows that are known to be empty. */
  empty: ReadonlyMap<number, DropReason>;
  /** What is tokenised of a row. Throws RowError and EmptyRowError. */
  jobAt(index: number): DataRow;
  labelAt(index: number): boolean;
}

/** What rows are tokenised from. */
export interface TokenizeInput<Facts> {
  /** Fingerprint of the dataset; without one nothing is cached. */
  fingerprint: string | undefined;
  /** What decides, besides dataset, tokenizer and settings, what comes of it. */
  key: readonly KeyPart[];
  tokenizing: Tokenizing;
  /** Opens and checks the rows; not called where all is in the cache. Throws RowError. */
  open(): Promise<CheckedSource<Facts>>;
}

/** Rows as ids, before any is dropped for its length or cut. */
export interface AllTokens<Facts> {
  facts: Facts;
  table: TokenTable;
  /** Rows that are empty, ascending. */
  empty: readonly (readonly [index: number, reason: DropReason])[];
  /** Rows there were, with the empty ones. */
  length: number;
  cache: CachedTokens | undefined;
}

/** Where tokens are kept. */
export interface CachedTokens {
  place: string;
  byteLength: number;
  /** False where they were made by this call. */
  isHit: boolean;
}

/** What an entry of the cache says besides its tokens. */
interface EntryFacts<Facts> {
  facts: Facts;
  empty: [index: number, reason: DropReason][];
  length: number;
  rows: number;
  notes: DataNote[];
}

/** Every row as ids: from the cache, or made on this thread or on workers and put there. Notes come out the same either way. Throws RowError. */
export async function tokenizeAll<Facts>(
  input: TokenizeInput<Facts>,
  options: PrepareOptions & { notes: DataNotes },
): Promise<AllTokens<Facts>> {
  const { cache, notes, signal } = options;
  const key = cache && cacheKey(input, options);
  const stored = key && (await cache.open(key, signal));
  const hit = stored && readEntry<Facts>(stored);
  if (hit) {
    for (const note of hit.notes) notes.include(note);
    keepStandIn(hit.notes, options);
    return { ...hit, cache: { place: stored.place, byteLength: stored.byteLength, isHit: true } };
  }
  const source = await input.open();
  const writer = key && (await cache.create(key));
  try {
    return await makeTokens(source, input.tokenizing, writer, options);
  } catch (error) {
    writer?.discard();
    throw error;
  }
}

async function makeTokens<Facts>(
  source: CheckedSource<Facts>,
  tokenizing: Tokenizing,
  writer: TokenWriter | undefined,
  options: PrepareOptions & { notes: DataNotes },
): Promise<AllTokens<Facts>> {
  const { notes } = options;
  const bytes: TokenBytes & { append(bytes: Uint8Array): void } = writer ?? new TokensInMemory();
  const builder = new TableBuilder(bytes);
  const empty: [number, DropReason][] = [];
  const mistakes = new RowMistakes();
  const again = (index: number): ScoredRow => tokenizing.tokenize(source.jobAt(index), source.sourceIndex(index), options);
  const take = async (index: number, read: () => ScoredRow | EncodedRow): Promise<void> => {
    const found = source.empty.get(index) ?? mistakes.try(() => orEmpty(read));
    if (found !== undefined && "kind" in found) empty.push([index, found]);
    else if (found !== undefined) builder.add(found, { place: index, label: source.labelAt(index) });
    await reportProgress(index + 1, source.length, options);
  };
  if (options.workers && options.tokenizer?.parts)
    await tokenizeOnWorkers(source, tokenizing, options.workers, { ...options, again, take });
  else for (let index = 0; index < source.length; index++) await take(index, () => again(index));
  mistakes.throwIfAny(source.numSourceRows);
  keepStandIn(notes.list(), options);
  const { facts, length } = source;
  if (!writer) return { facts, table: builder.table(), empty, length, cache: undefined };
  const entry: EntryFacts<Facts> = { facts, empty, length, rows: builder.length, notes: notes.list() };
  const stored = await writer.finish(builder.index(), JSON.stringify(entry));
  const table = openTable(builder.length, stored.index, stored);
  return { facts, table, empty, length, cache: { place: stored.place, byteLength: stored.byteLength, isHit: false } };
}

/** What an entry holds; undefined for one that is not of this form. */
function readEntry<Facts>(stored: StoredTokens): (Omit<AllTokens<Facts>, "cache"> & { notes: DataNote[] }) | undefined {
  const { facts, empty, length, rows, notes } = JSON.parse(stored.facts) as EntryFacts<Facts>;
  if (stored.index.byteLength !== indexBytes(rows)) return undefined;
  return { facts, empty, length, notes, table: openTable(rows, stored.index, stored) };
}

/** A tokenizer that renders with the stand-in template keeps in mind to save it with the adapter: also where workers or an earlier run rendered. */
function keepStandIn(notes: readonly DataNote[], { tokenizer, chatTemplate }: PrepareOptions): void {
  if (!notes.some(({ kind }) => kind === "stand-in template")) return;
  tokenizer?.renderChat?.([{ role: "user", content: "" }], {
    addGenerationPrompt: false,
    ...(chatTemplate !== undefined && { chatTemplate }),
  });
}
