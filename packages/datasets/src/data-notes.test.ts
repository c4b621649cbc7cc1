import { expect, it } from "vitest";

import { DataNotes, describeNote } from "./index.js";

it("one note a kind, with the rows it holds for, each counted once", () => {
  const notes = new DataNotes();
  notes.add("labels", "labels are text", 4);
  notes.add("labels", "labels are other text", 2);
  notes.add("labels", "labels are text", 4); // the other side of the same pair
  notes.add("layout", "the rows are ShareGPT's");
  notes.add("empty", "the completion is empty", 7);
  expect(notes.list()).toEqual([
    { kind: "labels", text: "labels are text", count: 2, row: 2 },
    { kind: "layout", text: "the rows are ShareGPT's" },
    { kind: "empty", text: "the completion is empty", count: 1, row: 7 },
  ]);
  expect(notes.list().map(describeNote)).toEqual([
    "labels are text (2 rows, the first is row 2)",
    "the rows are ShareGPT's",
    "the completion is empty (row 7)",
  ]);
});
