import { describe, expect, it } from "vitest";
import { checkDtype, f16BitsToNumber, numberToF16Bits } from "./dtype.js";

const finite = Array.from({ length: 0x7c00 }, (_, bits) => bits);

describe("f16", () => {
  it("every bit pattern is the number IEEE 754 says", () => {
    for (const bits of finite) {
      const [exponent, fraction] = [bits >> 10, bits & 1023];
      const expected = exponent === 0 ? fraction / 2 ** 24 : (1024 + fraction) * 2 ** (exponent - 25);
      expect(f16BitsToNumber(bits)).toBe(expected);
      expect(f16BitsToNumber(bits | 0x8000)).toBe(-expected);
    }
    expect(f16BitsToNumber(0x7c00)).toBe(Infinity);
    expect(f16BitsToNumber(0xfc00)).toBe(-Infinity);
    for (let bits = 0x7c01; bits < 0x8000; bits++) expect(f16BitsToNumber(bits)).toBeNaN();
  });

  it("every number comes back as its bits", () => {
    for (const bits of [...finite, 0x7c00]) {
      expect(numberToF16Bits(f16BitsToNumber(bits))).toBe(bits);
      expect(numberToF16Bits(f16BitsToNumber(bits | 0x8000))).toBe(bits | 0x8000);
    }
    expect(f16BitsToNumber(numberToF16Bits(Number.NaN))).toBeNaN();
  });

  it("between two numbers the nearer one is taken, in the middle the even one, also for doubles that f32 cannot hold", () => {
    for (const bits of finite) {
      const [below, above] = [f16BitsToNumber(bits), bits === 0x7bff ? 65_536 : f16BitsToNumber(bits + 1)];
      const middle = (below + above) / 2;
      const nudge = (above - below) * 2 ** -35;
      const even = bits % 2 === 0 ? bits : bits + 1;
      expect(numberToF16Bits(middle)).toBe(even);
      expect(numberToF16Bits(-middle)).toBe(even | 0x8000);
      expect(numberToF16Bits(middle - nudge)).toBe(bits);
      expect(numberToF16Bits(middle + nudge)).toBe(bits + 1);
    }
  });

  it("what is too large becomes an infinity, what is too small a zero", () => {
    expect([65_504, 65_519.99, 65_520, 1e10, 1e300, -1e300].map(numberToF16Bits)).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00]);
    expect([2 ** -25, 1e-30, 1e-300, -1e-300].map(numberToF16Bits)).toEqual([0, 0, 0, 0x8000]);
  });
});

describe("checkDtype", () => {
  it.each([
    ["float32", "; did you mean f32?"],
    ["half", "; did you mean f16?"],
    ["u31", "; did you mean u32?"],
    ["complex128", ""],
    ["toString", ""],
  ])("refuses %s", (dtype, advice) => {
    expect(() => checkDtype("tensor", dtype)).toThrow(`tensor: unknown dtype; expected f32, f16, u32, i32, got ${dtype}${advice}`);
  });

  it("says that there is none", () => {
    expect(() => checkDtype("tensor", undefined as never)).toThrow("tensor: dtype is missing; expected f32, f16, u32, i32, got undefined");
  });

  it("takes ours", () => {
    for (const dtype of ["f32", "f16", "u32", "i32"]) expect(() => checkDtype("tensor", dtype)).not.toThrow();
  });
});
