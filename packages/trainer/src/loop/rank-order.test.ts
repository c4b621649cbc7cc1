import { describe, expect, test } from "vitest";
import { rowsAround } from "../data/row-sequence.js";
import { ktoConfig } from "../config/kto-config.js";
import { microBatchesOfUpdate, planRun, ranksInStatistics } from "./run-plan.js";

/** Rows of each micro-batch of a rank in an epoch, by what its loop asks for. */
function rowsOf({
  numRows,
  batch,
  accumulate,
  rank,
  size,
}: Record<"numRows" | "batch" | "accumulate" | "rank" | "size", number>): number[][] {
  const args = ktoConfig({ perDeviceTrainBatchSize: batch, gradientAccumulationSteps: accumulate, lossType: "apo_zero_unpaired" });
  const plan = planRun(numRows, args, size);
  const rows = Array.from({ length: numRows }, (_, index) => index);
  return Array.from({ length: plan.updatesPerEpoch }, (_, update) => microBatchesOfUpdate(update, plan, args, { rank, size }))
    .flat()
    .map(({ start, end }) => rowsAround(rows, start, end));
}

/**
 * What accelerate documents of a sharded loader, as a dealer of cards: whole batches go round; a table that is not full at the end is filled with batches from rows
 * dealt first, over and over where there are too few.
 */
function dealt(numRows: number, batch: number, size: number): number[][][] {
  const hands: number[][][] = Array.from({ length: size }, () => []);
  let [next, turn] = [0, 0];
  while (next < numRows || turn % size !== 0) {
    const cards: number[] = [];
    while (cards.length < batch) cards.push(size === 1 && next >= numRows ? -1 : next++ % numRows);
    hands[turn++ % size]!.push(cards.filter((card) => card >= 0));
  }
  return hands;
}

describe("the rows of a rank", () => {
  test.each([
    // rows, batch, ranks: what accelerate 1.x gave (BatchSamplerShard over SequentialSampler, even_batches)
    [
      10,
      2,
      2,
      [
        [
          [0, 1],
          [4, 5],
          [8, 9],
        ],
        [
          [2, 3],
          [6, 7],
          [0, 1],
        ],
      ],
    ],
    [
      9,
      2,
      2,
      [
        [
          [0, 1],
          [4, 5],
          [8, 0],
        ],
        [
          [2, 3],
          [6, 7],
          [1, 2],
        ],
      ],
    ],
    [
      7,
      2,
      2,
      [
        [
          [0, 1],
          [4, 5],
        ],
        [
          [2, 3],
          [6, 0],
        ],
      ],
    ],
    [
      10,
      3,
      3,
      [
        [
          [0, 1, 2],
          [9, 0, 1],
        ],
        [
          [3, 4, 5],
          [2, 3, 4],
        ],
        [
          [6, 7, 8],
          [5, 6, 7],
        ],
      ],
    ],
    [2, 2, 3, [[[0, 1]], [[0, 1]], [[0, 1]]]],
    [3, 2, 3, [[[0, 1]], [[2, 0]], [[1, 2]]]],
  ])("of %i in batches of %i on %i ranks", (numRows, batch, size, expected) => {
    const found = expected.map((_, rank) => rowsOf({ numRows, batch, accumulate: 1, rank, size }));
    expect(found).toEqual(expected);
  });

  test("are dealt in turns at every size, whatever is accumulated", () => {
    for (let numRows = 1; numRows <= 25; numRows++)
      for (const batch of [1, 2, 3, 5])
        for (const size of [1, 2, 3, 4, 7])
          for (const accumulate of [1, 2, 3]) {
            const found = Array.from({ length: size }, (_, rank) => rowsOf({ numRows, batch, accumulate, rank, size }));
            expect(found, JSON.stringify({ numRows, batch, size, accumulate })).toEqual(dealt(numRows, batch, size));
          }
  });
});

test("statistics are those of as many ranks as the last turn of an epoch has rows for", () => {
  const counted = (numRows: number, size: number): number[] => {
    const args = ktoConfig({ perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 1, numTrainEpochs: 2 });
    const plan = planRun(numRows, args, size);
    return Array.from({ length: plan.totalUpdates }, (_, update) => ranksInStatistics(update, plan, args, size));
  };
  expect(counted(12, 3)).toEqual([3, 3, 3, 3]);
  expect(counted(11, 3)).toEqual([3, 3, 3, 3]); // five are left: enough for every rank
  expect(counted(8, 3)).toEqual([3, 2, 3, 2]);
  expect(counted(7, 3)).toEqual([3, 1, 3, 1]);
  expect(counted(7, 1)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
});
