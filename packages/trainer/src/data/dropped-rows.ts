import type { DropReason, DroppedRow, ScoredRow } from "./rows.js";
import type { AllTokens } from "./tokenize-all.js";

/** Rows that are not trained on, in their order, and the others by their numbers in the table. */
export interface SortedRows {
  dropped: DroppedRow[];
  kept: Uint32Array;
}

/**
 * Tells rows that are dropped from the others.
 *
 * @param reasonOf  why a row is dropped, by its sketch
 * @param sourceOf  what a row is called
 */
export function droppedRows(
  { table, empty }: Pick<AllTokens<unknown>, "table" | "empty">,
  reasonOf: (sketch: ScoredRow) => DropReason | undefined,
  sourceOf: (index: number) => Omit<DroppedRow, "reason"> = (index) => ({ index }),
): SortedRows {
  const dropped: DroppedRow[] = [];
  const kept = new Uint32Array(table.length);
  let numKept = 0;
  let nextEmpty = 0;
  for (let row = 0; row <= table.length; row++) {
    const place = table.places[row] ?? Infinity;
    for (; nextEmpty < empty.length && empty[nextEmpty]![0] < place; nextEmpty++) {
      const [index, reason] = empty[nextEmpty]!;
      dropped.push({ ...sourceOf(index), reason });
    }
    if (row === table.length) break;
    const reason = reasonOf(table.sketchAt(row));
    if (reason) dropped.push({ ...sourceOf(place), reason });
    else kept[numKept++] = row;
  }
  return { dropped, kept: kept.slice(0, numKept) };
}
