import { excerpt } from "@kto/core";
import {
  DataFileError,
  DataNotes,
  isPaired,
  RowError,
  RowMistakes,
  type DataNote,
  type DataRow,
  type Dataset,
  type RowFormat,
} from "@kto/datasets";
import { DataPreparationError } from "./errors.js";
import { expectMaxLength, letOthersRun, reportProgress, type PrepareOptions } from "./prepare-options.js";
import { describeDrops, EmptyRowError, reasonToDrop, type DroppedRow, type ScoredRow, type SourceRow } from "./rows.js";
import { tokenizeRow } from "./tokenize-row.js";
import { toPreferenceRows, type PreferenceRows } from "./preference-rows.js";

/** What data says of itself before anything is tokenised. */
export interface CheckedRows {
  format: RowFormat;
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
  /** In trl's order: pairs are unpaired. */
  rows: TokenizedRow[];
}

/** What decides which rows are usable. */
export interface CheckOptions extends Pick<PrepareOptions, "notes" | "strict" | "signal"> {
  /** `false` for rows that are scored only, and may all be without a label. Default true. */
  needsLabels?: boolean | undefined;
}

/** Rows that are checked between two turns of the event loop. */
const rowsAtOnce = 5000;

/**
 * Looks at every row as training would, up to the tokenizer: layouts are told apart, pairs unpaired, labels read. Everything that is wrong with rows is
 * told at once. Throws `RowError`, `DataFileError` for a dataset without rows, `DataPreparationError` for `strict` and where every row was dropped.
 */
export async function checkRows(dataset: Dataset<DataRow>, options: CheckOptions = {}): Promise<CheckedRows> {
  const { notes = new DataNotes() } = options;
  const rows = openRows(dataset, { ...options, notes });
  const dropped = new Map<number, DroppedRow>();
  const labels = await checkAll(rows, dataset.length, dropped, options.signal);
  expectRowsLeft([...dropped.values()], rows.length, options);
  const { format, unreadColumns } = rows;
  return {
    format,
    labels: labels.filter((_label, index) => !dropped.has(index)),
    dropped: [...dropped.values()],
    unreadColumns,
    notes: notes.list(),
  };
}

/**
 * Every row as ids, with trl 1.16's rules and in its order, before anything is cut; rows that it would not train on are dropped. Throws as
 * {@link checkRows} does, and for a missing tokenizer.
 */
export async function tokenizeRows(dataset: Dataset<DataRow>, options: CheckOptions & PrepareOptions = {}): Promise<TokenizedRows> {
  const { maxLength = 1024, notes = new DataNotes(), signal } = options;
  expectMaxLength(maxLength);
  const source = openRows(dataset, { ...options, notes });
  if (options.chatTemplate !== undefined && !source.format.conversational)
    notes.add("unused template", "the chat template that is given has no effect: the rows are not conversations");
  const empty = new Map<number, DroppedRow>();
  const labels = await checkAll(source, dataset.length, empty, signal);
  const rows: TokenizedRow[] = [];
  const dropped: DroppedRow[] = [];
  const mistakes = new RowMistakes();
  for (let index = 0; index < source.length; index++) {
    const place = source.sourceIndex(index);
    const read = empty.get(index) ?? mistakes.try(() => tokenizeOrDrop(source, index, { ...options, maxLength, notes }));
    if (read !== undefined && "reason" in read) dropped.push(read);
    else if (read !== undefined) rows.push({ ...read, ...(source.hasLabels && { label: labels[index]! }), sourceIndex: place });
    await reportProgress(index + 1, source.length, options);
  }
  mistakes.throwIfAny(dataset.length);
  expectRowsLeft(dropped, source.length, options);
  return { format: source.format, rows, dropped, unreadColumns: source.unreadColumns, notes: notes.list() };
}

function openRows(dataset: Dataset<DataRow>, { notes, needsLabels = true }: CheckOptions & { notes: DataNotes }): PreferenceRows {
  expectRows(dataset);
  const rows = toPreferenceRows(dataset, notes);
  if (rows.hasLabels || !needsLabels) return rows;
  throw new RowError(
    {
      operation: dataset.length === 1 ? "row 0" : "row 0 and every other",
      problem: 'the column "label" is missing',
      expected: "true or false in each row",
      got: `the columns ${excerpt(dataset.columnNames, 200)}`,
      advice: "add it, or say which column it is (--label_column; renameColumns in code)",
    },
    { row: 0, column: "label" },
  );
}

/** Throws DataFileError for a dataset without rows. */
export function expectRows(dataset: Dataset<DataRow>): void {
  if (dataset.length > 0) return;
  throw new DataFileError("data: the dataset is empty; expected at least 1 row, got 0; check that it is the data you mean");
}

/** Labels of all rows; those that are empty are put into `dropped`. Throws the RowError of everything that is wrong. */
async function checkAll(
  rows: PreferenceRows,
  numRows: number,
  dropped: Map<number, DroppedRow>,
  signal: AbortSignal | undefined,
): Promise<boolean[]> {
  const labels: boolean[] = [];
  const mistakes = new RowMistakes();
  for (let index = 0; index < rows.length; index++) {
    const label = mistakes.try(() => rows.labelAt(index));
    labels.push(label ?? false);
    const drop = mistakes.try(() =>
      dropOf(rows, index, () => {
        rows.textAt(index);
        return undefined;
      }),
    );
    if (drop !== undefined) dropped.set(index, drop);
    if ((index + 1) % rowsAtOnce === 0) await letOthersRun(signal);
  }
  mistakes.throwIfAny(numRows);
  return labels;
}

function tokenizeOrDrop(
  rows: PreferenceRows,
  index: number,
  options: PrepareOptions & { maxLength: number | null },
): ScoredRow | DroppedRow {
  const place = rows.sourceIndex(index);
  let ids: ScoredRow | undefined;
  const drop = dropOf(rows, index, () => {
    ids = tokenizeRow(rows.textAt(index), place, options);
    return reasonToDrop(ids, options.maxLength);
  });
  return drop ?? ids!;
}

/** The row as one that is dropped, where `read` says or throws why. */
function dropOf(rows: PreferenceRows, index: number, read: () => DroppedRow["reason"] | undefined): DroppedRow | undefined {
  const side = isPaired(rows.format.type) ? { label: rows.labelAt(index)! } : {};
  const dropped = (reason: DroppedRow["reason"]): DroppedRow => ({ index: rows.sourceIndex(index), ...side, reason });
  try {
    const reason = read();
    return reason && dropped(reason);
  } catch (error) {
    if (error instanceof EmptyRowError) return dropped(error.reason);
    throw error;
  }
}

/** Throws where every row was dropped, or any under `strict`. */
export function expectRowsLeft(dropped: readonly DroppedRow[], numRows: number, { strict = false }: CheckOptions): void {
  if (dropped.length === 0 || (!strict && dropped.length < numRows)) return;
  const fillsLength = dropped.some(({ reason }) => reason.kind === "prompt fills maxLength");
  const mend = fillsLength ? "mend them, or raise {maxLength}" : "mend them";
  throw new DataPreparationError({
    operation: "data",
    problem:
      dropped.length === numRows ? "every row was dropped" : `${dropped.length} ${dropped.length === 1 ? "row" : "rows"} would be dropped`,
    expected: strict ? "none, as {strict} asks" : "at least one row to train on",
    got: describeDrops(dropped, (field) => `{${field}}`).join("; "),
    advice: strict && dropped.length < numRows ? `${mend}; or leave {strict} out` : mend,
    fields: ["maxLength", "strict"],
  });
}
