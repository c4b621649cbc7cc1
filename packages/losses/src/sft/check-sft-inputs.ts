import { LossInputError } from "../errors.js";
import { sftLossTypes, type SftLossType } from "./sft-loss-types.js";

/** Throws LossInputError for a loss that there is not, and unless a sum over tokens can be divided by `numItemsInBatch`. */
export function checkSftInputs(operation: string, { lossType, numItemsInBatch }: { lossType: SftLossType; numItemsInBatch: number }): void {
  if (!sftLossTypes.includes(lossType))
    throw new LossInputError(`${operation}: there is no lossType ${JSON.stringify(lossType)}; expected one of ${sftLossTypes.join(", ")}`, {
      field: "lossType",
    });
  if (numItemsInBatch >= 1 && Number.isFinite(numItemsInBatch)) return;
  throw new LossInputError(
    `${operation}: numItemsInBatch is no number of scored tokens; expected at least 1, got ${numItemsInBatch}; count those of the whole update`,
    { field: "numItemsInBatch" },
  );
}
