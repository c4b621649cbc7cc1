import { boolean, field, integer, orNull, type Field } from "@kto/core/config";

/** Fields of the methods that compare with a reference, which is asked for `rows`, "rows" or "pairs". */
export function referenceFields(rows: string): { precomputeRefLogProbs: Field<boolean>; precomputeRefBatchSize: Field<number | null> } {
  return {
    precomputeRefLogProbs: field(boolean(), false, {
      group: "loss",
      help: "computes the reference's log-probs once, before the first update",
      notes:
        "the command keeps them with the tokens (`token_cache`), and a run of the same rows, reference and batches takes them from there",
    }),
    precomputeRefBatchSize: field(orNull(integer(1)), null, {
      group: "loss",
      help: `${rows} at a time for that; null is per_device_train_batch_size`,
    }),
  };
}
