import { unpairedPlace, type DataRow, type Dataset } from "@kto/datasets";
import { GrowingArray } from "./growing-array.js";

/** Where a row to tokenise comes from. */
export interface RowPlace {
  /** Index in the dataset. */
  row: number;
  /** Of a pair: the side, true for the chosen one. */
  label: boolean | undefined;
}

/** The rows that a dataset becomes when its pairs are unpaired. */
export interface RowPlaces {
  readonly length: number;
  at(index: number): RowPlace;
}

/**
 * Unpairs in trl's order. Of data that was put together, pairs that follow each other are unpaired as a dataset of their own, so that parts one after the other have the
 * order that they have when each is unpaired and then all are put together; 5 bytes a row are in memory for that.
 *
 * @param pairs  of each part, whether it is of pairs
 */
export function rowPlaces(dataset: Dataset<DataRow>, pairs: readonly boolean[]): RowPlaces {
  const { length, parts } = dataset;
  const unpaired = (index: number, numPairs: number): RowPlace => {
    const { pair, label } = unpairedPlace(index, numPairs);
    return { row: pair, label };
  };
  if (!pairs.includes(true)) return { length, at: (row) => ({ row, label: undefined }) };
  if (!pairs.includes(false)) return { length: 2 * length, at: (index) => unpaired(index, length) };
  const rows = new GrowingArray(new Uint32Array(0));
  const labels = new GrowingArray(new Uint8Array(0)); // 0 and 1, and 2 for a row that has its own
  for (let start = 0; start < length;) {
    const isPair = (row: number): boolean => pairs[parts!.partOf(row)]!;
    let end = start + 1;
    while (isPair(start) && end < length && isPair(end)) end++;
    if (!isPair(start)) {
      rows.push(start);
      labels.push(2);
    } else
      for (let index = 0; index < 2 * (end - start); index++) {
        const { row, label } = unpaired(index, end - start);
        rows.push(start + row);
        labels.push(label ? 1 : 0);
      }
    start = end;
  }
  const [ofRows, ofLabels] = [rows.toArray(), labels.toArray()];
  return {
    length: ofRows.length,
    at: (index) => ({ row: ofRows[index]!, label: ofLabels[index] === 2 ? undefined : ofLabels[index] === 1 }),
  };
}
