import { expect, it } from "vitest";
import { balanceBar, histogramLines } from "./histogram.js";

it("the largest count fills the width, the others are in proportion to an eighth of a character, and none but 0 is lost", () => {
  const bars = [
    { label: "0–7", count: 16_000 },
    { label: "8–15", count: 5000 },
    { label: "16–23", count: 1 },
    { label: "24–31", count: 0 },
  ];
  expect(histogramLines(bars, 29)).toEqual(["  0–7 ████████████████ 16,000", " 8–15 █████ 5,000", "16–23 ▏ 1", "24–31  0"]);
});

it.each([12, 40, 80])("keeps to %i columns", (width) => {
  const lines = histogramLines([{ label: "1–2", count: 3 }, { label: "3–4", count: 999 }], width); // prettier-ignore
  expect(Math.max(...lines.map((line) => line.length))).toBe(width);
});

it("of nothing there is nothing", () => expect(histogramLines([], 80)).toEqual([]));

it("shows how two classes are to each other, and both of them where there are both", () => {
  expect(balanceBar(1, 1, 8)).toBe("████░░░░");
  expect(balanceBar(3, 1, 8)).toBe("██████░░");
  expect(balanceBar(10_000, 1, 8)).toBe("███████░");
  expect(balanceBar(1, 10_000, 8)).toBe("█░░░░░░░");
  expect(balanceBar(5, 0, 8)).toBe("████████");
  expect(balanceBar(0, 5, 8)).toBe("░░░░░░░░");
  expect(balanceBar(0, 0, 8)).toBe("");
});
