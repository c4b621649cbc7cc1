import { excerpt } from "@kto/core";
import type { DataRow } from "./dataset.js";
import type { DataNotes } from "./data-notes.js";
import { rowError } from "./errors.js";
import { columnOf, isGiven } from "./rows.js";

/** How labels may be written, for messages and docs. */
export const labelSpellings = "true, false, 1, 0, or as text true, false, 1, 0 (in any case), 👍 or 👎";

const words: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
  ["1", true],
  ["0", false],
  ["👍", true],
  ["👎", false],
]);

/** Columns with a row's label, the first of which is read: trl's, and that of LLaMA-Factory. */
export const labelColumns: readonly string[] = ["label", "kto_tag"];

/** Variation selectors and the tones of skin, which an emoji may carry. */
const decorations = /\u{fe0e}|\u{fe0f}|[\u{1f3fb}-\u{1f3ff}]/gu;

/**
 * The class of a row, `true` for desirable: true, false, 1, 0, or one of these as text (any case), or a thumb up or down. Text is noted in `notes`.
 * Throws `RowError` for anything else.
 */
export function labelOf(row: DataRow, index: number, notes?: DataNotes): boolean {
  const column = labelColumns.find((name) => isGiven(row[name])) ?? "label";
  const value = columnOf(row, column, index);
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  const label = typeof value === "string" ? words.get(value.trim().toLowerCase().replace(decorations, "")) : undefined;
  if (label === undefined) {
    throw rowError(index, {
      problem: "the label is neither true nor false",
      expected: labelSpellings,
      got: `${excerpt(value)} (${typeof value})`,
      column,
    });
  }
  notes?.add("labels as text", "labels are text: true, 1 and 👍 are read as true, false, 0 and 👎 as false", index);
  return label;
}
