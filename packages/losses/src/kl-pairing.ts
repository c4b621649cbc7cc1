import { LossInputError } from "./errors.js";

/**
 * Which row's completion each mismatched (KL) row borrows: inside consecutive blocks, completions move on by one.
 *
 *   sources[i] = i − 1 inside a block; its first row takes the completion of its last row
 *
 * A last block of one row is paired with itself.
 *
 * @param numRows    rows of the data set, in the order of training, over-long prompts already dropped
 * @param blockSize  per_device_train_batch_size, for evaluation data too
 * @returns          [numRows] row indices; throws LossInputError when blockSize is no whole number above 0
 * @see trl 1.16, KTOTrainer
 */
export function klCompletionSources(numRows: number, blockSize: number): number[] {
  if (!Number.isInteger(blockSize) || blockSize < 1)
    throw new LossInputError(`klCompletionSources: blockSize is out of range; expected a whole number above 0, got ${blockSize}`, {
      field: "blockSize",
    });
  return Array.from({ length: numRows }, (_, row) => {
    const isFirstOfBlock = row % blockSize === 0;
    return isFirstOfBlock ? Math.min(row + blockSize, numRows) - 1 : row - 1;
  });
}
