import { ArgumentError } from "@kto/core";
import { Dataset, type DataRow } from "./dataset.js";
import { derivedFingerprint } from "./fingerprint.js";
import { columnOf } from "./rows.js";

/** Which side of which pair a row of the unpaired dataset is. */
export interface UnpairedPlace {
  /** Index of the pair. */
  pair: number;
  /** `true` for its chosen side. */
  label: boolean;
}

/** Pairs trl takes at once; each batch gives its desirable rows first, then its undesirable ones. */
export const UNPAIR_BATCH_SIZE = 1000;

/** Where row `index` of the unpaired form of `numPairs` pairs comes from. */
export function unpairedPlace(index: number, numPairs: number, batchSize: number = UNPAIR_BATCH_SIZE): UnpairedPlace {
  const start = Math.floor(index / (2 * batchSize)) * batchSize;
  const size = Math.min(batchSize, numPairs - start);
  const within = index - 2 * start;
  return { pair: start + (within % size), label: within < size };
}

/**
 * Rows `prompt, chosen, rejected` as twice as many rows `prompt, completion, label`, in trl's order: each batch of 1000 pairs gives its
 * desirable rows, then its undesirable rows. Other columns are repeated. Rows are made when they are read; reading throws `RowError` when a side is missing.
 *
 * Long runs of one class make most micro-batches single-class: consider `shuffle` on the result.
 *
 * @see trl 1.16, unpair_preference_dataset
 */
export function unpairPreferenceDataset(dataset: Dataset<DataRow>, batchSize: number = UNPAIR_BATCH_SIZE): Dataset<DataRow> {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ArgumentError(
      `unpairPreferenceDataset: the batch size is not a number of pairs; expected an integer of at least 1, got ${batchSize}; leave it out for trl's 1000`,
    );
  }
  const length = 2 * dataset.length;
  return Dataset.from({
    length,
    fingerprint: derivedFingerprint([dataset.fingerprint], `unpair ${batchSize}`),
    at(index: number) {
      if (index >= length) return undefined;
      const { pair, label } = unpairedPlace(index, dataset.length, batchSize);
      const row = dataset.at(pair);
      const { chosen: _chosen, rejected: _rejected, ...rest } = row;
      return { ...rest, completion: columnOf(row, label ? "chosen" : "rejected", pair), label };
    },
  });
}
