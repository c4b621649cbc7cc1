import type { Fail, FlatTable } from "./flatbuffer.js";
import type { BatchParts, Vector } from "./vectors.js";

/** The parts of a record batch with the metadata `batch` and the body `bytes`, checked against each other before a value is read. */
export function batchParts(
  batch: FlatTable,
  bytes: Uint8Array,
  dictionaries: ReadonlyMap<number, Vector>,
  spend: (values: number) => void,
  fail: Fail,
): BatchParts {
  const nodes = batch.pairs(1);
  const buffers = batch.pairs(2);
  let node = 0;
  let buffer = 0;
  return {
    node(failHere) {
      const [length, numNulls] = nodes[node++] ?? failHere("is missing in a batch");
      spend(length);
      return { length, numNulls };
    },
    buffer(failHere) {
      const [offset, length] = buffers[buffer++] ?? failHere("has fewer buffers in a batch than its type needs");
      if (offset + length > bytes.length) fail(`a buffer ends at byte ${offset + length} of a batch of ${bytes.length}`);
      return bytes.subarray(offset, offset + length);
    },
    dictionary: (id) => dictionaries.get(id),
  };
}
