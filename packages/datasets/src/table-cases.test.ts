import { expect, it } from "vitest";

import { loadDataset } from "./index.js";
import type { DataCase } from "./testing/data-case.js";
import { memoryDirectory } from "./testing/memory-directory.js";
import { tableCases } from "./testing/table-cases.js";

/** What the library makes of a case: as many rows, or an error, and what is said. */
async function outcomeOf({ files, data, flags = [] }: DataCase): Promise<{ rows?: number; says: string }> {
  const notes: string[] = [];
  const split = flags[flags.indexOf("--split") + 1];
  const bytes = data === undefined ? undefined : files[data]!;
  try {
    const dataset =
      bytes === undefined
        ? await loadDataset(memoryDirectory(files), { onNote: (note) => notes.push(note), ...(split !== undefined && { split }) })
        : await loadDataset(typeof bytes === "string" ? bytes : bytes.slice(), { name: data! });
    return { rows: dataset.toArray().length, says: notes.join("\n") };
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^(FORMAT|DATA_FILE)$/) });
    return { says: (error as Error).message };
  }
}

it.each(tableCases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
  const { rows, says } = await outcomeOf(one);
  expect(rows, says).toBe(one.outcome.status === 0 ? one.outcome.rows : undefined);
  for (const pattern of one.outcome.says ?? []) expect(says).toMatch(pattern);
  if (one.outcome.status === 0 && one.outcome.says === undefined) expect(says).toBe("");
});
