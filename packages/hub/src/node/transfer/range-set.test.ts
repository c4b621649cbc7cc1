import { expect, it } from "vitest";
import { RangeSet } from "./range-set.js";

it("joins what touches and overlaps, in any order", () => {
  const set = new RangeSet();
  for (const [start, end] of [[20, 30], [0, 5], [5, 8], [40, 50], [25, 42], [9, 9], [3, 4]] as const) set.add(start, end); // prettier-ignore
  expect(set.ranges).toEqual([{ start: 0, end: 8 }, { start: 20, end: 50 }]); // prettier-ignore
  expect(set.byteLength).toBe(38);
});

it("agrees with a bitmap, whatever is added", () => {
  const set = new RangeSet();
  const bitmap = new Uint8Array(300);
  for (let i = 0; i < 200; i++) {
    const start = (i * 7919) % 290;
    const end = start + ((i * 31) % 10);
    set.add(start, end);
    bitmap.fill(1, start, end);
    expect(set.byteLength).toBe(bitmap.reduce((sum, bit) => sum + bit, 0));
    const missing = set.missing(300, 16);
    expect(missing.reduce((sum, range) => sum + range.end - range.start, 0)).toBe(300 - set.byteLength);
    expect(missing.every((range) => range.end - range.start <= 16 && bitmap.subarray(range.start, range.end).every((bit) => bit === 0))).toBe(true); // prettier-ignore
  }
});

it("lists what is missing in parts", () => {
  const set = new RangeSet();
  expect(set.missing(0, 4)).toEqual([]);
  expect(set.missing(10, 4)).toEqual([{ start: 0, end: 4 }, { start: 4, end: 8 }, { start: 8, end: 10 }]); // prettier-ignore
  set.add(2, 9);
  expect(set.missing(10, 4)).toEqual([{ start: 0, end: 2 }, { start: 9, end: 10 }]); // prettier-ignore
  set.clear();
  expect(set.missing(3, 4)).toEqual([{ start: 0, end: 3 }]);
});
