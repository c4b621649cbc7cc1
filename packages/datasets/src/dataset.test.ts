import { describe, expect, it, vi } from "vitest";

import { Dataset } from "./dataset.js";

const ten = Dataset.from(Array.from({ length: 10 }, (_, id) => ({ id })));
const ids = (dataset: Dataset<{ id: number }>): number[] => dataset.toArray().map((row) => row.id);

describe("Dataset", () => {
  it("iterates, counts and names columns in the order they are met", () => {
    const rows = Dataset.from<Record<string, unknown>>([{ a: 1 }, { b: 2, a: 3 }]);
    expect([...rows]).toEqual([{ a: 1 }, { b: 2, a: 3 }]);
    expect(rows.length).toBe(2);
    expect(rows.columnNames).toEqual(["a", "b"]);
  });

  it("does not change when the array it came from does", () => {
    const array = [{ id: 0 }];
    const dataset = Dataset.from(array);
    array.push({ id: 1 });
    expect(dataset.length).toBe(1);
  });

  it("selects, takes and filters", () => {
    expect(ids(ten.select([3, 3, 0]))).toEqual([3, 3, 0]);
    expect(ids(ten.take(2))).toEqual([0, 1]);
    expect(ten.take(99).length).toBe(10);
    expect(ids(ten.filter((row) => row.id % 4 === 0).select([2, 0]))).toEqual([8, 0]);
  });

  it("renames and removes columns, and reads no row before it is asked for", () => {
    const at = vi.fn((index: number) =>
      index < 2 ? { question: `q${index}`, prompt: "id", ...(index === 1 && { label: true }) } : undefined,
    );
    const rows = Dataset.from<Record<string, unknown>>({ length: 2, at });
    expect(rows.columnNames).toEqual(["question", "prompt", "label"]);
    at.mockClear();
    const renamed = rows.removeColumns("prompt").renameColumns({ question: "prompt", label: "label" });
    expect([renamed.length, renamed.columnNames, at.mock.calls.length]).toEqual([2, ["prompt", "label"], 0]);
    expect(renamed.toArray()).toEqual([{ prompt: "q0" }, { prompt: "q1", label: true }]);
    expect(rows.renameColumns({ question: "prompt", prompt: "question" }).at(0)).toEqual({ prompt: "q0", question: "id" });
    expect(rows.at(0)).toEqual({ question: "q0", prompt: "id" });
    expect(rows.removeColumns([]).columnNames).toEqual(rows.columnNames);
  });

  it("refuses columns that there are not, and two of one name", () => {
    const rows = Dataset.from<Record<string, unknown>>([{ a: 1, b: 2 }]);
    expect(() => rows.renameColumns({ c: "d" })).toThrow('renameColumns: there is no column "c"; expected one of ["a","b"], got "c"');
    expect(() => rows.removeColumns(["a", "c"])).toThrow('removeColumns: there is no column "c"');
    expect(() => rows.renameColumns({ a: "b" })).toThrow('renameColumns: two columns would be called "b"');
  });

  it("shuffles as torch's randperm and leaves the original as it was", () => {
    expect(ids(ten.shuffle(42))).toEqual([2, 6, 1, 8, 4, 5, 0, 9, 3, 7]);
    expect(ids(ten.shuffle(0).shuffle(0))).not.toEqual(ids(ten.shuffle(0)));
    expect(ids(ten)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("splits into disjoint parts, by share or by count", () => {
    const { train, test } = ten.trainTestSplit({ testSize: 0.25, seed: 42 });
    expect(ids(test)).toEqual([2, 6, 1]);
    expect(ids(train)).toEqual([8, 4, 5, 0, 9, 3, 7]);
    expect(ids(ten.trainTestSplit({ testSize: 4, shuffle: false }).test)).toEqual([6, 7, 8, 9]);
    expect(() => ten.trainTestSplit({ testSize: 10 })).toThrow("testSize leaves a part without rows");
  });

  it("maps every row once and reports progress", () => {
    const onProgress = vi.fn();
    const twice = vi.fn((row: { id: number }, index: number) => ({ twice: row.id + index }));
    const mapped = Dataset.from(Array.from({ length: 2500 }, (_, id) => ({ id }))).map(twice, { onProgress });
    expect(mapped.at(7)).toEqual({ twice: 14 });
    expect(mapped.at(7)).toBe(mapped.at(7));
    expect(twice).toHaveBeenCalledTimes(2500);
    expect(onProgress.mock.calls.map(([{ done, total }]) => [done, total])).toEqual([
      [1000, 2500],
      [2000, 2500],
      [2500, 2500],
    ]);
  });

  it("makes lazy rows only when they are read", () => {
    const at = vi.fn((id: number) => ({ id }));
    const lazy = Dataset.from({ length: 1_000_000, at });
    expect(ids(lazy.shuffle(1).take(3))).toHaveLength(3);
    expect(at).toHaveBeenCalledTimes(3);
  });

  it("refuses indices and counts outside the dataset", () => {
    expect(() => ten.at(10)).toThrow("there is no row 10; expected 0 to 9");
    expect(() => ten.take(2).at(5)).toThrow("there is no row 5; expected 0 to 1");
    expect(() => ten.select([-1])).toThrow("there is no row -1");
    expect(() => ten.take(-1)).toThrow("expected an integer of at least 0, got -1");
  });
});
