import { describe, expect, it } from "vitest";
import { drawCurve, type Point } from "./curve.js";
import { sparkline } from "./sparkline.js";

const series = (values: readonly number[], firstStep = 1): Point[] => values.map((y, index) => ({ x: firstStep + index, y }));

describe("a curve", () => {
  it("has the highest value above, the lowest below, and the steps under it", () => {
    expect(drawCurve(series([4, 3, 2, 1, 0]), { width: 24, height: 3 })).toEqual([
      "4 ┤⠉⠒⠢⠤⢄⣀",
      "2 ┤      ⠉⠉⠒⠒⠤⠤⣀⣀⡀",
      "0 ┤              ⠈⠉⠑⠒⠤⠤⣀",
      "  └ step 1 ─────────── 5",
    ]);
  });

  it.each([20, 40, 79, 200])("keeps to %i columns and fills them, of few, equal and very many values", (width) => {
    for (const values of [
      [0.5, 0.4],
      [0.5, 0.5, 0.5],
      [1e300, -1e300],
      [1e-9, 2e-9],
      Array.from({ length: 100_000 }, (_, step) => 1 / (step + 1)),
    ]) {
      const lines = drawCurve(series(values), { width });
      expect(lines).toHaveLength(8);
      expect(Math.max(...lines.map((line) => line.length))).toBe(width);
    }
  });

  it("loses no extreme, however many values there are", () => {
    const values = Array.from({ length: 100_000 }, () => 1);
    values[40_000] = 9;
    const [top = ""] = drawCurve(series(values), { width: 60 });
    expect(top).toMatch(/^9 ┤ +[⠀-⣿]+$/);
    expect(top.length).toBeGreaterThan(20);
  });

  it("equal values lie in the middle, under their number alone", () => {
    const lines = drawCurve(series([0.25, 0.25, 0.25]), { width: 30 });
    expect(lines.filter((line) => /[⠀-⣿]/.test(line))).toEqual([expect.stringMatching(/^0\.25 ┤[⠀-⣿]+$/)]);
  });

  it("numbers that differ late are told apart", () => {
    const [top, , , middle, , , bottom] = drawCurve(series([0.712345, 0.712346]), { width: 40 });
    const numbers = [top, middle, bottom].map((line) => Number(line!.split("┤")[0]));
    expect(new Set(numbers).size).toBe(3);
  });

  it("NaN and infinity are gaps, and one value between them a dot", () => {
    const lines = drawCurve(series([1, 1, NaN, 2, Infinity, 1, 1]), { width: 40, height: 3 });
    expect(lines[0]).toMatch(/^ +2 ┤ +[⠀-⣿]$/);
    expect(lines[2]!.split("┤")[1]).toMatch(/^[⠀-⣿]+ +[⠀-⣿]+$/);
  });

  it("is none of one value, of one step, of no number, and where there is no room", () => {
    expect(drawCurve([], { width: 80 })).toEqual([]);
    expect(drawCurve(series([1]), { width: 80 })).toEqual([]);
    expect(drawCurve(series([NaN, NaN, 1]), { width: 80 })).toEqual([]);
    expect(drawCurve([{ x: 3, y: 1 }, { x: 3, y: 2 }], { width: 80 })).toEqual([]); // prettier-ignore
    expect(drawCurve(series([1, 2]), { width: 8 })).toEqual([]);
  });

  it("marks points of another series, also those that are higher than all of it", () => {
    const lines = drawCurve(series([3, 2, 1, 0]), { width: 30, height: 3, marks: [{ x: 2, y: 6 }, { x: 4, y: NaN }] }); // prettier-ignore
    expect(lines[0]).toMatch(/^6 ┤ +o$/);
    expect(lines.join("").match(/o/g)).toHaveLength(1);
  });

  it("colours the curve, its marks and its axes each by itself", () => {
    const paint = { line: (text: string) => `<${text}>`, mark: (text: string) => `(${text})`, axis: (text: string) => `[${text}]` };
    const lines = drawCurve(series([1, 0]), { width: 20, height: 3, marks: [{ x: 2, y: 1 }], paint });
    expect(lines[0]).toMatch(/^\[ +1 ┤\]<[⠀-⣿ ]+>\(o\)$/);
    expect(lines.at(-1)).toMatch(/^\[ +└.*\]$/);
  });
});

describe("a line of a series", () => {
  it("goes from the lowest to the highest, in as many characters as there is room for", () => {
    expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8)).toBe("▁▂▃▄▅▆▇█");
    expect(sparkline([8, 8, 1, 1], 2)).toBe("█▁");
    expect(sparkline([3, 3, 3], 8)).toBe("▄▄▄");
    expect(sparkline(Array.from({ length: 100_000 }, (_, step) => -step), 24)).toHaveLength(24); // prettier-ignore
  });

  it("has a blank where there is no number, and is empty without one", () => {
    expect(sparkline([1, NaN, 2], 8)).toBe("▁ █");
    expect(sparkline([NaN, Infinity], 8)).toBe("");
    expect(sparkline([], 8)).toBe("");
  });
});
