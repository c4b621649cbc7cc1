import { expect, it } from "vitest";
import { samplingSettings } from "./sampling-options.js";

it("a top-k of the whole vocabulary or more keeps all, as 0 does", () => {
  const topKOf = (topK: number, defaults = {}): number => samplingSettings({ topK }, defaults, 512).sampling.topK;
  expect([0, 1, 511, 512, 2 ** 32 - 1].map((topK) => topKOf(topK))).toEqual([0, 1, 511, 0, 0]);
  expect(samplingSettings({}, { top_k: 600 }, 512).sampling.topK).toBe(0);
  expect(samplingSettings({ topK: 600 }).sampling.topK).toBe(600); // no vocabulary is named
});
