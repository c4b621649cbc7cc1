import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { dynamicMap, dynamicMapMidpoints, nearestCode, type DynamicMapKind } from "./dynamic-map.js";

const sha256 = (data: Float32Array): string => createHash("sha256").update(new Uint8Array(data.buffer)).digest("hex");
const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;
const fromBits = (value: number): number => new Float32Array(Uint32Array.of(value).buffer)[0]!;

describe.each([
  ["signed", "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c", 127, -0.992968738079071],
  ["unsigned", "305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398", 0, 0],
] as [DynamicMapKind, string, number, number][])("the %s map", (kind, digest, codeOfZero, first) => {
  const map = dynamicMap(kind);
  const midpoints = dynamicMapMidpoints(map);

  it("has the bits of bitsandbytes' table", () => {
    expect(map.length).toBe(256);
    expect(sha256(map)).toBe(digest);
    expect(map[0]).toBe(first);
  });

  it("finds each entry, zero of either sign, and what lies outside", () => {
    expect(Array.from(map, (value) => nearestCode(midpoints, value))).toEqual(Array.from(map, (_, code) => code));
    expect([0, -0].map((value) => nearestCode(midpoints, value))).toEqual([codeOfZero, codeOfZero]);
    expect([-9, 9, NaN].map((value) => nearestCode(midpoints, value))).toEqual([0, 255, 0]);
  });

  it("goes to the even code from a midpoint, to the nearer one from its neighbours", () => {
    midpoints.forEach((midpoint, code) => {
      const away = midpoint > 0 ? 1 : -1;
      expect(nearestCode(midpoints, midpoint)).toBe(code % 2 === 0 ? code : code + 1);
      expect(nearestCode(midpoints, fromBits(bits(midpoint) + away))).toBe(code + 1);
      expect(nearestCode(midpoints, fromBits(bits(midpoint) - away))).toBe(code);
    });
  });
});
