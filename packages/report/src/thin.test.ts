import { describe, expect, it } from "vitest";
import { thin } from "./thin.js";

const numbers = (length: number, of: (index: number) => number | null): { x: number[]; y: (number | null)[] } => ({
  x: Array.from({ length }, (_, index) => index + 1),
  y: Array.from({ length }, (_, index) => of(index)),
});

describe("thin", () => {
  it("leaves what fits as it is", () => {
    const points = numbers(100, (index) => index);
    expect(thin(points, 100)).toEqual(points);
  });

  it("keeps the first point, the last, and every extreme of 100,000", () => {
    const points = numbers(100_000, (index) => Math.sin(index / 1000));
    points.y[31_337] = 50;
    points.y[77_777] = -40;
    const { x, y } = thin(points, 2000);
    expect(x.length).toBeLessThanOrEqual(2000);
    expect(x.length).toBe(y.length);
    expect([x[0], x.at(-1)]).toEqual([1, 100_000]);
    expect(y[x.indexOf(31_338)]).toBe(50);
    expect(y[x.indexOf(77_778)]).toBe(-40);
    expect(x.every((step, index) => index === 0 || step > x[index - 1]!)).toBe(true);
  });

  it("keeps gaps, and a curve without a number", () => {
    const gap = thin(
      numbers(1000, (index) => (index === 500 ? null : 1)),
      100,
    );
    expect(gap.y[gap.x.indexOf(501)]).toBeNull();
    expect(
      thin(
        numbers(1000, () => null),
        100,
      ).y.every((value) => value === null),
    ).toBe(true);
  });
});
