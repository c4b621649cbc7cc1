import { DataFileError, RowMistakes, type DataRow, type Dataset } from "@kto/datasets";
import { DataPreparationError } from "./errors.js";
import { letOthersRun, type PrepareOptions } from "./prepare-options.js";
import { describeDrops, type DroppedRow, type DropReason } from "./rows.js";

/** Rows that are looked at between two turns of the event loop. */
const rowsAtOnce = 5000;

/** What is done with each row of some data before anything is tokenised. */
export interface RowChecks {
  length: number;
  /** Rows of the dataset, which several of these may come from. */
  numSourceRows: number;
  /** Why a row is dropped, if it is; what is wrong with it goes to `mistakes`. */
  look(index: number, mistakes: RowMistakes): DropReason | undefined;
}

/** Looks at every row once. Gives those that are empty; throws the RowError of everything that is wrong. */
export async function lookAtRows(
  { length, numSourceRows, look }: RowChecks,
  { signal, onProgress }: Pick<PrepareOptions, "signal" | "onProgress">,
): Promise<Map<number, DropReason>> {
  const mistakes = new RowMistakes();
  const empty = new Map<number, DropReason>();
  for (let index = 0; index < length; index++) {
    const reason = look(index, mistakes);
    if (reason !== undefined) empty.set(index, reason);
    if ((index + 1) % rowsAtOnce !== 0) continue;
    onProgress?.({ done: index + 1, total: length, stage: "checking" });
    await letOthersRun(signal);
  }
  mistakes.throwIfAny(numSourceRows);
  return empty;
}

/** Throws DataFileError for a dataset without rows. */
export function expectRows(dataset: Dataset<DataRow>): void {
  if (dataset.length > 0) return;
  throw new DataFileError("data: the dataset is empty; expected at least 1 row, got 0; check that it is the data you mean");
}

/** Throws where every row was dropped, or any under `strict`. */
export function expectRowsLeft(dropped: readonly DroppedRow[], numRows: number, { strict = false }: Pick<PrepareOptions, "strict">): void {
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
