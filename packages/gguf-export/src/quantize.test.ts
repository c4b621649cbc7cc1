import { ArgumentError, DtypeError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { GGML_TYPES } from "./ggml-types.js";
import { dequantize, quantize, QUANTIZED_TYPES, type QuantizedType } from "./quantize.js";
import { conformance, hex, inputs, sha256 } from "./testing/conformance.js";

/** The result, or that there is none because a value is too large. */
function outcome<T>(run: () => T): T | "refused" {
  try {
    return run();
  } catch (error) {
    if (error instanceof ArgumentError && error.message.includes("too large for")) return "refused";
    throw error;
  }
}

const blockTypes = QUANTIZED_TYPES.filter((type) => GGML_TYPES[type].blockValues > 1);

it("the inputs are those of the vectors", () => {
  expect(Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, sha256(values)]))).toEqual(conformance.inputs);
});

it("there are vectors for every type of blocks", () => {
  expect(Object.keys(conformance.blocks).sort()).toEqual([...blockTypes].sort());
});

describe.each(blockTypes)("%s", (type) => {
  const expected = conformance.blocks[type]!;
  const { blockValues, blockBytes } = GGML_TYPES[type];

  it("gives the reference's first blocks", () => {
    for (const [name, bytes] of Object.entries(expected.firstBlock)) {
      expect(`${name} ${hex(quantize(inputs[name]!, type).subarray(0, blockBytes))}`).toBe(`${name} ${bytes}`);
    }
  });

  it.each(["V1", "V2", "V3", "V4", "V5"])("gives the reference's bytes of %s", (name) => {
    const bytes = quantize(inputs[name]!, type);
    expect(bytes.byteLength).toBe((inputs[name]!.length / blockValues) * blockBytes);
    expect(sha256(bytes)).toBe(expected.sha256[name]);
  });

  it("gives the reference's values back", () => {
    const values = dequantize(quantize(inputs["V1"]!, type), type);
    const errors = Array.from(inputs["V1"]!, (value, i) => Math.abs(values[i]! - value));
    expect(sha256(values)).toBe(expected.dequantized);
    expect(Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / 256) / expected.rms).toBeCloseTo(1, 4);
    expect(Math.max(...errors) / expected.largestError).toBeCloseTo(1, 4);
  });

  it("refuses a part of a block", () => {
    expect(() => quantize(new Float32Array(blockValues - 1), type)).toThrow(
      `quantize: these are no whole blocks of ${type}; expected a multiple of ${blockValues} values, got ${blockValues - 1}`,
    );
    expect(() => dequantize(new Uint8Array(blockBytes + 1), type)).toThrow(`expected a multiple of ${blockBytes} bytes`);
  });

  it("refuses what is not finite and what it cannot hold", () => {
    const withValue = (value: number): Float32Array => new Float32Array(blockValues).fill(value, 7, 8);
    expect(() => quantize(withValue(NaN), type)).toThrow(/quantize: value 7 is not finite; .* got NaN/);
    expect(() => quantize(withValue(-Infinity), type)).toThrow(ArgumentError);
    expect(() => quantize(withValue(-3e38), type)).toThrow(new RegExp(`value 7 or one soon after it is too large for ${type}; .* got -3`));
    for (let value = 1e9; value > 1; value /= 3) {
      const back = outcome(() => dequantize(quantize(withValue(value), type), type)[7]! / value);
      expect(back === "refused" || Math.abs(back - 1) < 0.25).toBe(true); // never zero, never infinite
    }
    expect(outcome(() => quantize(withValue(1e9), type))).toBe("refused");
  });
});

describe("plain types", () => {
  it("F16 and BF16 are the reference's", () => {
    expect(sha256(quantize(inputs["V5"]!, "F16"))).toBe(conformance.halves.F16);
    expect(sha256(quantize(inputs["V5"]!, "BF16"))).toBe(conformance.halves.BF16);
  });

  it("F32 is a copy", () => {
    const values = Float32Array.of(1, -0, 1e-42);
    const bytes = quantize(values, "F32");
    expect(dequantize(bytes, "F32")).toEqual(values);
    bytes.fill(0);
    expect(values[0]).toBe(1);
  });

  it("are exact where they can be, and refuse what becomes infinite", () => {
    const values = Float32Array.of(1, -0.5, 0, 65504);
    expect(dequantize(quantize(values, "F16"), "F16")).toEqual(values);
    expect(() => quantize(Float32Array.of(0, 65520), "F16")).toThrow(
      /value 1 or one soon after it is too large for F16; .* got 65520; BF16/,
    );
    expect(dequantize(quantize(Float32Array.of(1.5, -2), "BF16"), "BF16")).toEqual(Float32Array.of(1.5, -2));
    expect(() => dequantize(new Uint8Array(3), "BF16")).toThrow("expected a multiple of 2 bytes, got 3");
  });
});

describe("with an importance matrix", () => {
  const importance = Float32Array.from({ length: 256 }, (_, column) => 1 + 0.25 * (column % 5));

  it.each(Object.entries(conformance.withImportance))("gives the reference's bytes of V5 as %s", (type, expected) => {
    expect(sha256(quantize(inputs["V5"]!, type as QuantizedType, { importance }))).toBe(expected);
  });

  it("changes no byte of Q8_0, and those of the others", () => {
    const values = inputs["V5"]!.subarray(0, 1024);
    const differing = blockTypes.filter((type) => hex(quantize(values, type, { importance })) !== hex(quantize(values, type)));
    expect(differing).toEqual(blockTypes.filter((type) => type !== "Q8_0"));
  });

  it("comes nearer to the values that matter", () => {
    const values = inputs["V5"]!.subarray(0, 2048);
    const columns = new Float32Array(256).fill(0.01).fill(1, 0, 64);
    for (const type of ["Q4_1", "Q5_0", "Q5_1", "Q4_K", "IQ4_NL", "IQ4_XS"] as const) {
      const errorOf = (bytes: Uint8Array): number =>
        dequantize(bytes, type).reduce((sum, value, i) => sum + columns[i % 256]! * (value - values[i]!) ** 2, 0);
      expect(errorOf(quantize(values, type, { importance: columns }))).toBeLessThan(errorOf(quantize(values, type)));
    }
  });

  it("refuses one of another length or with impossible numbers", () => {
    const values = new Float32Array(512);
    expect(() => quantize(values, "Q4_K", { importance: new Float32Array(128) })).toThrow(
      /importance and values do not fit together; expected one number for each column, a multiple of 256 that divides 512, got 128/,
    );
    expect(() => quantize(values, "Q4_K", { importance: new Float32Array(0) })).toThrow(ArgumentError);
    expect(() => quantize(values, "Q4_K", { importance: new Float32Array(256).fill(NaN, 3) })).toThrow(/importance of column 3/);
  });
});

it("refuses a type that it does not know", () => {
  expect(() => quantize(new Float32Array(32), "IQ2_XXS" as QuantizedType)).toThrow(DtypeError);
  expect(() => dequantize(new Uint8Array(32), "toString" as QuantizedType)).toThrow(
    /expected one of F32, F16, BF16, Q8_0, .*, got toString/,
  );
});

it("values may be a view at any place of their memory", () => {
  const memory = new Float32Array(300);
  memory.set(inputs["V1"]!, 3);
  expect(hex(quantize(memory.subarray(3, 259), "Q6_K"))).toBe(hex(quantize(inputs["V1"]!, "Q6_K")));
  expect(dequantize(quantize(memory.subarray(3, 259), "F16"), "F16")).toHaveLength(256);
});
