import { expect, it } from "vitest";
import { rowOrder } from "./row-order.js";

const rows = Array.from({ length: 10 }, (_, row) => row);

it("without a seed is that of the data, in every epoch", () => {
  const order = rowOrder(rows, undefined);
  expect(order(0)).toBe(rows);
  expect(order(3)).toBe(rows);
});

it("is torch's permutation under seed + epoch, whichever epoch is asked for first", () => {
  expect([...rowOrder(rows, 42)(0)]).toEqual([2, 6, 1, 8, 4, 5, 0, 9, 3, 7]);
  const order = rowOrder(rows, 41);
  expect([...order(1)]).toEqual([2, 6, 1, 8, 4, 5, 0, 9, 3, 7]);
  expect([...order(0)]).not.toEqual([...order(1)]);
  expect([...order(0)].sort((a, b) => a - b)).toEqual(rows);
});
