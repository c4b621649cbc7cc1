import { expect, it } from "vitest";
import { orderedSum } from "./ordered-sum.js";
import { onAll } from "./testing/mpi-in-process.js";

/** Numbers whose sum depends on the order in which they are added. */
function numbersOf(rank: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, index) => Math.sin(index * 7 + rank * 3) * 10 ** ((index + 5 * rank) % 9));
}

function inOrder(size: number, length: number): Float32Array {
  const sum = numbersOf(0, length);
  for (let rank = 1; rank < size; rank++) for (const [index, value] of numbersOf(rank, length).entries()) sum[index]! += value;
  return sum;
}

it.each([
  [2, 1000],
  [3, 1000],
  [3, 64],
  [3, 65],
  [5, 7],
  [4, 3], // fewer numbers than ranks
  [3, 1],
  [2, 0],
])("%i ranks add %i numbers in the order of ranks, in pieces of 64, and all have the same bits", async (size, length) => {
  const sums = await onAll(size, async (mpi, rank) => {
    const numbers = numbersOf(rank, length);
    await orderedSum({ mpi, rank, size }, numbers, 64);
    return numbers;
  });
  for (const sum of sums) expect(sum).toEqual(inOrder(size, length));
});

it("another order of ranks gives other bits: the numbers of this test can tell", () => {
  const other = numbersOf(2, 1000);
  for (const rank of [1, 0]) for (const [index, value] of numbersOf(rank, 1000).entries()) other[index]! += value;
  expect(other).not.toEqual(inOrder(3, 1000));
});
