import { LossInputError } from "../errors.js";

/** Throws LossInputError unless a sum over tokens can be divided by this. */
export function expectNumItems(operation: string, numItemsInBatch: number): void {
  if (numItemsInBatch >= 1 && Number.isFinite(numItemsInBatch)) return;
  throw new LossInputError(
    `${operation}: numItemsInBatch is no number of scored tokens; expected at least 1, got ${numItemsInBatch}; count those of the whole update`,
    { field: "numItemsInBatch" },
  );
}
