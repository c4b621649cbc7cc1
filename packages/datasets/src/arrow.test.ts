import { describe, expect, it, vi } from "vitest";

import { loadDataset, readArrow } from "./index.js";
import { tableFile, tagged, tableValues } from "./testing/tables.js";

describe("values", () => {
  it.each([
    ["main.stream.arrow", "main"],
    ["main.file.arrow", "main"],
    ["types.inside.arrow", "arrow"],
    ["saved-dict/train/data-00000-of-00001.arrow", "calls"],
  ])("are those of Python: %s", async (file, values) => {
    const expected = tableValues(values);
    const rows = (await readArrow(tableFile(file))).toArray();
    expect(rows.map((row, index) => tagged(row, expected[index]!))).toEqual(expected);
  });

  it("are found by content whatever the name is, with as many rows as asked for, one batch after the other", async () => {
    const onProgress = vi.fn();
    for (const file of ["main.stream.arrow", "main.file.arrow"]) {
      const dataset = await loadDataset(tableFile(file), { name: "rows.bin", maxRows: 7, onProgress });
      expect(dataset.length).toBe(7);
      expect(dataset.at(6)["completion"]).toBe("c6".repeat(6));
    }
    expect(onProgress.mock.calls.map(([{ rows }]) => rows)).toEqual([5, 7, 5, 7]);
    await expect(readArrow(tableFile("main.stream.arrow"), { signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
  });
});

describe("what cannot be read", () => {
  const whole = tableFile("main.stream.arrow");
  it.each<[string, Uint8Array, string]>([
    ["another file", new TextEncoder().encode("not an arrow file"), "is damaged or no Arrow file"],
    ["nothing but its schema", whole.subarray(0, 8), "in a file of 8"],
    ["cut off within a batch", whole.subarray(0, whole.length - 2000), "in a file of"],
    [
      "compressed batches",
      tableFile("zstd.arrow"),
      "expected record batches without compression, got compressed ones; write it with Dataset.to_parquet or to_json",
    ],
    ["views of text", tableFile("views.arrow"), "got string_view in text; write it with Dataset.to_parquet"],
  ])("%s", async (_what, bytes, message) => {
    const error = await readArrow(bytes, { name: "x.arrow" }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "FORMAT", source: "x.arrow", message: expect.stringContaining(message) });
  });

  it("buffers that point outside, counts that are too large: every word of the metadata, one at a time", async () => {
    const outcomes = { read: 0, refused: 0 };
    for (let at = 8; at + 4 <= 2600; at += 4) {
      for (const word of [0x7fffffff, -1, 0x00ffffff]) {
        const damaged = whole.slice();
        new DataView(damaged.buffer).setInt32(at, word, true);
        try {
          for (const row of await readArrow(damaged, { name: "x.arrow" })) Object.values(row);
          outcomes.read += 1;
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(FORMAT|DATA_FILE)$/) });
          outcomes.refused += 1;
        }
      }
    }
    expect(outcomes.refused).toBeGreaterThan(outcomes.read / 2);
  });
});
