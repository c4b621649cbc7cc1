import { openSafetensorsFile } from "@kto/safetensors/node";
import { fixturePath, listFixtures, readFixtureJson } from "@kto/testing/workspace";
import { describe, expect, it } from "vitest";
import { readMatrix } from "../testing/matrix-fixtures.js";
import { bitsOf } from "../testing/weights.js";
import { dequantizeWeights, quantizeWeights } from "./quantize-weights.js";
import { dequantizeScales, quantizeScales } from "./scales.js";

/** Where the CPU backend that made a file differs from the rules. */
interface Differences {
  codes_differ: number;
  absmax_codes_differ?: number;
  offset_difference?: number;
  dequantized_differ: number;
  example?: { weight: number; rule: number; bitsandbytes: number };
}

const report = readFixtureJson<{ against_specification: Record<string, Differences> }>("nf4", "report.json").against_specification;
const count = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).filter((value, i) => value !== b[i]).length;

describe.each(listFixtures("nf4", "matrices"))("%s", (file) => {
  const known = report[file.replace(".safetensors", "")]!;

  it("codes and scales are those of the file", async () => {
    const { values, packed, absmax, nested } = await readMatrix(openSafetensorsFile(fixturePath("nf4", "matrices", file)));
    const quantized = quantizeWeights(values);
    // Ours take a block of zeros for zeros, as the file does; the rule of the report does not.
    const differsInZeros = known.example?.weight === 0 && known.example.bitsandbytes === 7;
    expect(count(quantized.packed, packed)).toBe(differsInZeros ? 0 : known.codes_differ);
    if (!nested) return expect(count(bitsOf(quantized.absmax), bitsOf(absmax))).toBe(0);
    const scales = quantizeScales(quantized.absmax);
    expect(Math.abs(scales.offset - nested.offset)).toBe(known.offset_difference);
    // Another sum of the same scales: what is left of them moves with the offset.
    scales.absmax.forEach((absmax, i) => expect(Math.abs(absmax - nested.absmax[i]!)).toBeLessThanOrEqual(known.offset_difference!));
    expect(count(scales.codes, nested.codes)).toBe(known.absmax_codes_differ);
  });

  it("dequantised weights are those of the file, to the bit", async () => {
    const { dtype, values, packed, absmax, nested, dequantized } = await readMatrix(
      openSafetensorsFile(fixturePath("nf4", "matrices", file)),
    );
    const scales = nested ? dequantizeScales(nested) : absmax;
    expect(bitsOf(scales)).toEqual(bitsOf(absmax));
    expect(bitsOf(dequantizeWeights({ packed, absmax: scales }, { size: values.length, dtype }))).toEqual(bitsOf(dequantized));
  });
});
