import { randperm } from "@kto/datasets";
import { selectedRows, type RowSequence } from "../data/row-sequence.js";

/** The rows of an epoch (from 0) in the order in which they are trained on. */
export type RowOrder<Row> = (epoch: number) => RowSequence<Row>;

/**
 * The order of rows in each epoch: that of the data, or, with a seed, that of torch's `randperm` under seed + epoch. It depends on nothing else, so that a run that
 * is resumed in the midst of an epoch goes on as it would have.
 *
 * @see transformers 5, Trainer; accelerate's SeedableRandomSampler
 */
export function rowOrder<Row>(rows: RowSequence<Row>, seed: number | undefined): RowOrder<Row> {
  if (seed === undefined) return () => rows;
  let last: { epoch: number; rows: RowSequence<Row> } | undefined;
  return (epoch) => {
    if (last?.epoch !== epoch) last = { epoch, rows: selectedRows(rows, randperm(rows.length, seed + epoch)) };
    return last.rows;
  };
}
