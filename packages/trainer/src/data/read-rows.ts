import { excerpt } from "@kto/core";
import { DataNotes, RowError, type DataNote, type DataRow, type Dataset, type RowMistakes } from "@kto/datasets";
import { droppedRows } from "./dropped-rows.js";
import type { DataFormat } from "./layout-parts.js";
import { expectRows, expectRowsLeft, lookAtRows } from "./look-at-rows.js";
import { expectMaxLength, type PrepareOptions } from "./prepare-options.js";
import { pickColumns, tokenizingWith, type Tokenizing } from "./row-job.js";
import { rowPlaces, type RowPlaces } from "./row-places.js";
import { lazyRows, type RowSequence } from "./row-sequence.js";
import { orEmpty, reasonToDrop, type DroppedRow, type DropReason, type ScoredRow, type SourceRow } from "./rows.js";
import { tokenizeAll, type CachedTokens, type CheckedSource } from "./tokenize-all.js";
import { tokenizedColumns, tokenizeRow, type TokenizeOptions } from "./tokenize-row.js";
import { noteUnusedTemplate, toPreferenceRows, type PreferenceRows } from "./preference-rows.js";

/** What data says of itself before anything is tokenised. */
export interface CheckedRows {
  format: DataFormat;
  /** Labels of the rows that are left, in trl's order: pairs are unpaired. Empty where the data has no labels. */
  labels: boolean[];
  dropped: DroppedRow[];
  unreadColumns: string[];
  notes: DataNote[];
}

/** A row as ids, before it is cut. */
export interface TokenizedRow extends ScoredRow, SourceRow {
  /** `true` for a desirable completion; absent where the data has no labels. */
  label?: boolean;
}

/** Data as ids. */
export interface TokenizedRows extends Omit<CheckedRows, "labels"> {
  /** In trl's order: pairs are unpaired. Each is read when it is asked for. */
  rows: RowSequence<TokenizedRow>;
  /** Where they are kept, if anywhere. */
  cache: CachedTokens | undefined;
}

/** What decides which rows are usable. */
export interface CheckOptions extends Pick<PrepareOptions, "notes" | "strict" | "signal" | "onProgress"> {
  /** `false` for rows that are scored only, and may all be without a label. Default true. */
  needsLabels?: boolean | undefined;
}

/**
 * Looks at every row as training would, up to the tokenizer: layouts are told apart, pairs unpaired, labels read. Everything that is wrong with rows is
 * told at once. Throws `RowError`, `DataFileError` for a dataset without rows, `DataPreparationError` for `strict` and where every row was dropped.
 */
export async function checkRows(dataset: Dataset<DataRow>, options: CheckOptions = {}): Promise<CheckedRows> {
  const { notes = new DataNotes() } = options;
  const rows = openRows(dataset, { ...options, notes });
  const { labels, empty } = await checkAll(rows, dataset.length, options);
  const dropped = Array.from(empty, ([index, reason]): DroppedRow => ({ ...sourceOf(rows.places, index), reason }));
  expectRowsLeft(dropped, rows.length, options);
  const { format, unreadColumns } = rows;
  return {
    format,
    labels: rows.unlabelled === undefined ? Array.from(labels, (label) => label === 1).filter((_label, index) => !empty.has(index)) : [],
    dropped,
    unreadColumns,
    notes: notes.list(),
  };
}

/**
 * Every row as ids, with trl 1.16's rules and in its order, before anything is cut; rows that it would not train on are dropped. Throws as
 * {@link checkRows} does, and for a missing tokenizer.
 */
export async function tokenizeRows(dataset: Dataset<DataRow>, options: CheckOptions & PrepareOptions = {}): Promise<TokenizedRows> {
  const { maxLength = 1024, notes = new DataNotes(), needsLabels = true, chatTemplate } = options;
  expectMaxLength(maxLength);
  const all = await tokenizeAll(
    {
      fingerprint: dataset.fingerprint,
      key: [needsLabels ? "with labels" : "labels or none"],
      tokenizing: preferenceTokenizing({ chatTemplate }),
      open: () => openSource(dataset, { ...options, notes }),
    },
    { ...options, notes },
  );
  const { facts, table, length } = all;
  const places = rowPlaces(dataset, facts.pairs);
  const { dropped, kept } = droppedRows(
    all,
    (sketch) => reasonToDrop(sketch, maxLength),
    (index) => sourceOf(places, index),
  );
  expectRowsLeft(dropped, length, options);
  const rowOf = (ids: ScoredRow, row: number): TokenizedRow => ({
    ...ids,
    ...(facts.hasLabels && { label: table.labels[row] === 1 }),
    sourceIndex: places.at(table.places[row]!).row,
  });
  const rows = lazyRows(
    kept.length,
    (index) => rowOf(table.rowAt(kept[index]!), kept[index]!),
    (index) => rowOf(table.sketchAt(kept[index]!), kept[index]!),
  );
  return { format: facts.format, rows, dropped, unreadColumns: facts.unreadColumns, notes: notes.list(), cache: all.cache };
}

/** Prompts and completions as ids. */
export function preferenceTokenizing(settings: Pick<TokenizeOptions, "chatTemplate">): Tokenizing {
  return tokenizingWith("preference", tokenizeRow, settings);
}

/** What is known of data as a whole. */
interface DataFacts {
  format: DataFormat;
  hasLabels: boolean;
  unreadColumns: string[];
  /** Of each part, whether it is of pairs, which were unpaired. */
  pairs: boolean[];
}

/** Rows that were looked at, for tokenising. Throws RowError. */
async function openSource(
  dataset: Dataset<DataRow>,
  options: CheckOptions & PrepareOptions & { notes: DataNotes },
): Promise<CheckedSource<DataFacts>> {
  const rows = openRows(dataset, options);
  const { format, places, pairs, unlabelled, unreadColumns } = rows;
  noteUnusedTemplate(options.chatTemplate, format, options.notes);
  const { labels, empty } = await checkAll(rows, dataset.length, options);
  return {
    length: rows.length,
    numSourceRows: dataset.length,
    facts: { format, hasLabels: unlabelled === undefined, unreadColumns, pairs },
    sourceIndex: (index) => places.at(index).row,
    empty,
    jobAt: (index) => pickColumns(rows.textAt(index), tokenizedColumns),
    labelAt: (index) => labels[index] === 1,
  };
}

/** Where row `index` comes from; for pairs which side it is. */
function sourceOf(places: RowPlaces, index: number): Omit<DroppedRow, "reason"> {
  const { row, label } = places.at(index);
  return { index: row, ...(label !== undefined && { label }) };
}

function openRows(dataset: Dataset<DataRow>, { notes, needsLabels = true }: CheckOptions & { notes: DataNotes }): PreferenceRows {
  expectRows(dataset);
  const rows = toPreferenceRows(dataset, notes);
  const { unlabelled } = rows;
  if (unlabelled === undefined || !needsLabels) return rows;
  throw new RowError(
    {
      operation: unlabelled.name ?? (dataset.length === 1 ? "row 0" : "row 0 and every other"),
      problem: 'the column "label" is missing',
      expected: "true or false in each row",
      got: `the columns ${excerpt(unlabelled.dataset.columnNames, 200)}`,
      advice: "add it, or say which column it is (--label_column; renameColumns in code)",
    },
    { row: 0, column: "label" },
  );
}

/** Labels of all rows (1 is true), and which are empty. Throws the RowError of everything that is wrong. */
async function checkAll(
  rows: PreferenceRows,
  numSourceRows: number,
  options: Pick<PrepareOptions, "signal" | "onProgress">,
): Promise<{ labels: Uint8Array; empty: Map<number, DropReason> }> {
  const labels = new Uint8Array(rows.length);
  const look = (index: number, mistakes: RowMistakes): DropReason | undefined => {
    labels[index] = mistakes.try(() => rows.labelAt(index)) ? 1 : 0;
    return mistakes.try(() => orEmpty(() => void rows.textAt(index)));
  };
  return { labels, empty: await lookAtRows({ length: rows.length, numSourceRows, look }, options) };
}
