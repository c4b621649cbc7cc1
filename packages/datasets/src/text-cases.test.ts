import { describe, expect, it } from "vitest";

import { loadDataset } from "./index.js";
import { contentCases, jsonCases, unreadCases } from "./testing/text-cases.js";

const answers = [" plum", " brick", " pear", " lamp"];

describe.each([
  ["JSON that is not JavaScript's", jsonCases],
  ["a file is what it holds", contentCases],
  ["columns that nobody reads", unreadCases],
])("%s", (_kind, cases) => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (_name, { files, data, outcome }) => {
    const name = data ?? Object.keys(files)[0]!;
    const reading = loadDataset(files[name]!, { name });
    if (outcome.status === 0) {
      const rows = (await reading).toArray();
      expect(rows.map(({ completion, label }) => [completion, label])).toEqual(
        answers.map((answer, index) => [answer, index % 2 === 0]).slice(0, outcome.rows),
      );
    } else {
      const error: unknown = await reading.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: expect.stringMatching(/^(FORMAT|DATA_FILE)$/) });
      for (const pattern of outcome.says) expect((error as Error).message).toMatch(pattern);
      expect((error as Error).message).toContain(name);
    }
  });
});
