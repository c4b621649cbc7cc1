import { describe, expect, it } from "vitest";
import { initialLoraWeights, loraScale, type LoraTarget } from "./index.js";
import { philox } from "./philox.js";

const target: LoraTarget = { path: "model.layers.0.self_attn.q_proj", r: 64, inFeatures: 1536, outFeatures: 256, scale: 1 };
const mean = (values: Iterable<number>): number => {
  let [sum, count] = [0, 0];
  for (const value of values) [sum, count] = [sum + value, count + 1];
  return sum / count;
};
const moment = (values: Float32Array, power: number): number => mean(Array.from(values, (value) => value ** power));

/** Known answers of the reference implementation (Random123, kat_vectors). */
it.each([
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
] as const)("philox %j %j", (counter, key, want) => {
  expect(
    philox(counter, key)
      .map((word) => word.toString(16).padStart(8, "0"))
      .join(" "),
  ).toBe(want);
});

describe("true: A uniform on ±1/√in, B zero", () => {
  const { a, b } = initialLoraWeights(target, { seed: 42 });
  const bound = 1 / Math.sqrt(1536);

  it("has the shapes, and B is zero", () => {
    expect([a.length, b.length]).toEqual([64 * 1536, 256 * 64]);
    expect(b.every((value) => Object.is(value, 0))).toBe(true);
  });

  it("fills the interval evenly", () => {
    expect(Math.max(...a)).toBeLessThanOrEqual(Math.fround(bound));
    expect(Math.max(...a)).toBeGreaterThan(bound * 0.9999);
    expect(Math.min(...a)).toBeLessThan(-bound * 0.9999);
    const bins = Array.from({ length: 32 }, () => 0);
    for (const value of a) bins[Math.min(31, Math.floor(((value / bound + 1) / 2) * 32))]!++;
    const expected = a.length / 32;
    const chiSquared = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(61.1); // 31 degrees of freedom, one in a thousand
  });

  it("has the moments of the distribution, and neighbours are unrelated", () => {
    const standardError = bound / Math.sqrt(3 * a.length);
    expect(Math.abs(moment(a, 1))).toBeLessThan(4 * standardError);
    expect(moment(a, 2) / (bound ** 2 / 3)).toBeCloseTo(1, 1.5);
    const products = Array.from(a.subarray(1), (value, index) => value * a[index]!);
    expect(Math.abs(mean(products)) / (bound ** 2 / 3)).toBeLessThan(4 / Math.sqrt(a.length));
  });
});

it('"gaussian": A normal with deviation 1/r, B zero', () => {
  const { a, b } = initialLoraWeights(target, { seed: 7, initLoraWeights: "gaussian" });
  expect(b.every((value) => value === 0)).toBe(true);
  expect(Math.abs(moment(a, 1)) * 64).toBeLessThan(4 / Math.sqrt(a.length));
  expect(moment(a, 2) * 64 ** 2).toBeCloseTo(1, 1.5);
  expect(moment(a, 4) * 64 ** 4).toBeCloseTo(3, 0.5);
  expect(mean(Array.from(a, (value) => Number(Math.abs(value) * 64 < 1)))).toBeCloseTo(0.6827, 2);
});

it("false: B is random too", () => {
  const { b } = initialLoraWeights(target, { seed: 7, initLoraWeights: false });
  expect(Math.max(...b)).toBeLessThanOrEqual(1 / 8);
  expect(Math.max(...b)).toBeGreaterThan(0.12);
});

it("depends on the seed and the path, and on nothing else", () => {
  const first = (path: string, seed: number): number => initialLoraWeights({ ...target, path }, { seed }).a[0]!;
  expect(first("x.q_proj", 1)).toBe(first("x.q_proj", 1));
  const others = [first("x.q_proj", 1), first("x.q_proj", 2), first("x.k_proj", 1), first("x.q_proj", 1 + 2 ** 32)];
  expect(new Set(others).size).toBe(4);
  expect(() => first("x", -1)).toThrow("seed is out of range");
});

it("scale", () => {
  expect(loraScale({ r: 8, loraAlpha: 16 })).toBe(2);
  expect(loraScale({ r: 2, loraAlpha: 4, useRslora: true })).toBe(2.82842712474619);
});
