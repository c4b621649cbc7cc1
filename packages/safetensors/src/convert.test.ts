import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DtypeError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { toBfloat16, toFloat16, toFloat32 } from "./convert.js";
import type { Dtype } from "./dtype.js";
import { float32BitsToBfloat16, float32BitsToFloat16 } from "./float/fast.js";
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float/scalar.js";
import { fixtures } from "./testing/fixtures.js";
import { asTypedArray } from "./typed-array.js";

const all16 = Uint16Array.from({ length: 65536 }, (_, i) => i);
const all8 = Uint8Array.from({ length: 256 }, (_, i) => i);
const bitsOfFloat32 = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;

/** Every NaN as the positive quiet NaN, as in the fixture. */
function canonical(bits: Uint32Array | Uint16Array, infinity: number, quiet: number): Uint32Array | Uint16Array {
  return bits.map((code) => ((code & (bits instanceof Uint32Array ? 0x7fffffff : 0x7fff)) > infinity ? quiet : code));
}

describe("every code against numpy and ml_dtypes", () => {
  const sums = JSON.parse(readFileSync(join(fixtures, "safetensors/conversions.json"), "utf8")) as Record<string, string>;
  for (const [pair, expected] of Object.entries(sums)) {
    it(`all codes, ${pair}`, () => {
      const [from, to] = pair.split(" ") as [Dtype, string];
      const codes = from.startsWith("F8") ? all8 : all16;
      const result =
        to === "F32"
          ? canonical(new Uint32Array(toFloat32(codes, from).values.buffer), 0x7f800000, 0x7fc00000)
          : to === "F16"
            ? canonical(toFloat16(codes, from).values, 0x7c00, 0x7e00)
            : canonical(toBfloat16(codes, from).values, 0x7f80, 0x7fc0);
      expect(createHash("sha256").update(new Uint8Array(result.buffer)).digest("hex")).toBe(expected);
    });
  }
});

describe("rounding to nearest, ties to even", () => {
  const halves = [
    {
      name: "f16",
      decode: float16ToNumber,
      encode: numberToFloat16,
      fast: float32BitsToFloat16,
      infinity: 0x7c00,
      beyond: 65536,
      convert: toFloat16,
    },
    {
      name: "bf16",
      decode: bfloat16ToNumber,
      encode: numberToBfloat16,
      fast: float32BitsToBfloat16,
      infinity: 0x7f80,
      beyond: 2 ** 128,
      convert: toBfloat16,
    },
  ];
  for (const { name, decode, encode, fast, infinity, beyond, convert } of halves) {
    it(`${name}: every value, the midpoint to the next, and the doubles beside it`, () => {
      for (let code = 0; code < infinity; code++) {
        const value = decode(code);
        const next = code + 1 === infinity ? beyond : decode(code + 1);
        const middle = (value + next) / 2;
        const even = code % 2 === 0 ? code : code + 1;
        const step = (next - value) * 2 ** -30;
        const cases = [[value, code], [middle, even], [middle - step, code], [middle + step, code + 1]] as const; // prettier-ignore
        for (const [input, expected] of cases) {
          if (encode(input) !== expected || encode(-input) !== (0x8000 | expected))
            expect([input, encode(input), encode(-input)]).toEqual([input, expected, 0x8000 | expected]);
        }
      }
    });

    it(`${name}: the integer path for f32 is the exact path, on every f32 near a value or midpoint and on two million others`, () => {
      const check = (bits: number): void => {
        const value = new Float32Array(Uint32Array.of(bits).buffer)[0]!;
        if (fast(bits) !== encode(value)) expect([bits, fast(bits)]).toEqual([bits, encode(value)]);
      };
      for (let code = 0; code < infinity; code++) {
        const bits = bitsOfFloat32(decode(code));
        const middle = bitsOfFloat32((decode(code) + (code + 1 === infinity ? beyond : decode(code + 1))) / 2);
        for (const near of [bits - 1, bits, bits + 1, middle - 1, middle, middle + 1]) {
          check(near >>> 0);
          check((near | 0x80000000) >>> 0);
        }
      }
      for (let bits = 0, i = 0; i < 2_000_000; i++, bits = (bits + 2_654_435_769) >>> 0) check(bits); // golden-ratio steps spread over all of u32
      for (const bits of [0x7f800000, 0xff800000, 0x7f800001, 0xffc00000, 0x7fffffff]) check(bits);
    });

    it(`${name}: reports the first finite value that overflows, and no infinity or NaN`, () => {
      const values = [1, Infinity, NaN, -beyond * 0.9999999, 2 * beyond];
      if (name === "f16") {
        expect(convert(Float32Array.from(values), "F32").overflow).toEqual({ index: 3, value: Math.fround(-beyond * 0.9999999) });
        const bf16 = toBfloat16(Float32Array.from(values), "F32").values;
        expect(convert(bf16, "BF16").overflow).toEqual({ index: 3, value: -65536 });
      }
      expect(convert(Float64Array.from(values), "F64").overflow).toEqual({ index: 3, value: -beyond * 0.9999999 });
      const fine = convert(Float64Array.from([1, Infinity, NaN, -0]), "F64");
      expect(fine.overflow).toBeUndefined();
      expect([...fine.values]).toEqual([encode(1), infinity, encode(NaN), 0x8000]);
    });
  }

  it("f64 → f16 rounds once: through f32 this value would be a tie", () => {
    const value = 1 + 2 ** -11 + 2 ** -40;
    expect(toFloat16(Float64Array.of(value), "F64").values[0]).toBe(0x3c01);
    expect(numberToFloat16(Math.fround(value))).toBe(0x3c00);
  });

  it("f64 → f32 is exact rounding, and overflow is reported", () => {
    const inputs = Float64Array.of(0.1, 1e39, -Infinity, 2 ** -150, 3 * 2 ** -150);
    const { values, overflow } = toFloat32(inputs, "F64");
    expect([...values]).toEqual([Math.fround(0.1), Infinity, -Infinity, 0, 2 ** -148]);
    expect(overflow).toEqual({ index: 1, value: 1e39 });
  });

  it("f16 → bf16 and tiny bf16 → f16 lose bits as they must", () => {
    expect(toBfloat16(Uint16Array.of(0x3c01, 0x7bff), "F16").values).toEqual(Uint16Array.of(0x3f80, 0x4780));
    expect(toFloat16(Uint16Array.of(numberToBfloat16(2 ** -25), numberToBfloat16(1.5 * 2 ** -25)), "BF16").values).toEqual(
      Uint16Array.of(0, 1),
    );
  });
});

describe("typed arrays", () => {
  it("gives values of f8, both kinds", () => {
    expect([...toFloat32(Uint8Array.of(0x7e, 0x01, 0xfe, 0x7f), "F8_E4M3").values]).toEqual([448, 2 ** -9, -448, NaN]);
    expect([...toFloat32(Uint8Array.of(0x7b, 0x01, 0xfc, 0x7d), "F8_E5M2").values]).toEqual([57344, 2 ** -16, -Infinity, NaN]);
  });

  it("copies where the offset allows no view", () => {
    const bytes = new Uint8Array(17);
    bytes.set(new Uint8Array(Float64Array.of(1.5, -2).buffer), 1);
    expect(asTypedArray(bytes.subarray(1), "F64")).toEqual(Float64Array.of(1.5, -2));
    expect(asTypedArray(bytes.subarray(0, 16), "I64").buffer).toBe(bytes.buffer);
    expect(toFloat32(bytes.subarray(1), "F64").values).toEqual(Float32Array.of(1.5, -2));
    expect(() => asTypedArray(bytes, "F32")).toThrow(/multiple of 4 bytes, got 17/);
  });

  it("refuses dtypes that are no floats", () => {
    expect(() => toFloat32(new Uint8Array(8), "I64")).toThrow(DtypeError);
    expect(() => toFloat16(new Uint8Array(8), "F8_E8M0")).toThrow(/got F8_E8M0/);
  });

  it("never shares memory with its input", () => {
    const input = Float32Array.of(1);
    expect(toFloat32(input, "F32").values.buffer).not.toBe(input.buffer);
  });
});
