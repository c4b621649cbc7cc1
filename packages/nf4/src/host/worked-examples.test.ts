import { describe, expect, it } from "vitest";
import { roundToWeight, type WeightDtype } from "../weight-dtype.js";
import { bitsOf, encodeWeights, fromBits, rampBlock, rampBlocks, randomNumbers, sha256 } from "../testing/weights.js";
import { codeOf, nf4Codes, thresholdsOf } from "./code-table.js";
import { dequantizeWeights, quantizeWeights } from "./quantize-weights.js";
import { dequantizeScales, nestedCodes, quantizeScales } from "./scales.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("tables", () => {
  it("NF4 has the bits of bitsandbytes", () => {
    expect(sha256(nf4Codes)).toBe("8501941daa1b8a90ad1bbfeb632e5101b5dddbc4bb52d6e55abcfd777e60c06a");
  });

  it("a threshold is the f32 midpoint of two codes", () => {
    const expected =
      "BF591CD8 BF1C5270 BEEB8480 BEADEA76 BE703CEC BE0D38BC BD3A7871 3D22FAFF 3DF64862 3E5067E0 3E9582D4 3EC753F9 3F006D04 3F248DAF 3F5C89DA";
    expect(Array.from(bitsOf(thresholdsOf(nf4Codes)), (bits) => bits.toString(16).toUpperCase()).join(" ")).toBe(expected);
  });

  it("a tie goes to the lower code", () => {
    const thresholds = thresholdsOf(nf4Codes);
    const codes = [fromBits(0x3d22faff), fromBits(0x3d22fb00), -0.045525018125772476, 0, -0].map((x) => codeOf(x, thresholds));
    expect(codes).toEqual([7, 8, 6, 7, 7]);
  });

  it("scales use the signed dynamic map", () => {
    expect(sha256(nestedCodes())).toBe("e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c");
  });
});

describe("one block", () => {
  const quantized = quantizeWeights(rampBlock);
  const decode = (dtype: WeightDtype): Float32Array<ArrayBuffer> => dequantizeWeights(quantized, { size: 64, dtype });

  it("codes and scale", () => {
    expect([...quantized.absmax]).toEqual([0.4921875]);
    expect(hex(quantized.packed)).toBe("00000111111112222233344445556667788899aaabbbccccddddeeeeeeefffff");
  });

  it.each([
    ["float32", [-0.4921875, -0.3426573872566223, 0, 0, 0.12113340198993683, 0.4921875]],
    ["bfloat16", [-0.4921875, -0.341796875, 0, 0, 0.12109375, 0.4921875]],
    ["float16", [-0.4921875, -0.3427734375, 0, 0, 0.12115478515625, 0.4921875]],
  ] as [WeightDtype, number[]][])("dequantised to %s", (dtype, expected) => {
    const values = decode(dtype);
    expect([0, 5, 31, 32, 40, 63].map((i) => values[i])).toEqual(expected);
  });

  it("every element", () => {
    expect(decode("float32").reduce((sum, value) => sum + value, 0)).toBe(0.020569995045661926);
    expect(sha256(encodeWeights(decode("bfloat16"), "bfloat16"))).toBe("849e2f91470ac78c315b0f91c8bdb4cf5ad106fe1ec6e43b120985e045fe0422");
  });
});

it("four blocks, double quantisation", () => {
  const { packed, absmax } = quantizeWeights(rampBlocks);
  expect([...absmax]).toEqual([0.24609375, 0.4921875, 0.123046875, 0.984375]);
  const scales = quantizeScales(absmax);
  expect(scales.offset).toBe(0.46142578125);
  expect([...scales.absmax]).toEqual([0.52294921875]);
  expect([...scales.codes]).toEqual([41, 176, 25, 255]);
  const recovered = dequantizeScales(scales);
  expect([...recovered]).toEqual([0.24366645514965057, 0.49239417910575867, 0.12600284814834595, 0.984375]);
  const values = dequantizeWeights({ packed, absmax: recovered }, { size: 256, dtype: "float32" });
  const places = [0, 64, 128, 192, 255];
  expect(places.map((i) => values[i])).toEqual([-0.24366645514965057, -0.49239417910575867, -0.12600284814834595, -0.984375, 0.984375]);
  expect(places.map((i) => roundToWeight(values[i]!, "bfloat16"))).toEqual([-0.244140625, -0.4921875, -0.1259765625, -0.984375, 0.984375]);
  expect(sha256(packed)).toBe("cbf81b0701e81edca324899a5a4956166d9e4fff1603ef0c15285423c21c4e78");
});

it("1,024 random weights", () => {
  const weights = Float32Array.from(randomNumbers(1024), (v) => roundToWeight(Math.fround(v * Math.fround(0.1)), "bfloat16"));
  expect([...weights.subarray(0, 4)]).toEqual([0.0155029296875, -0.01953125, 0.0174560546875, -0.039306640625]);
  const { packed, absmax } = quantizeWeights(weights);
  expect([...absmax.subarray(0, 4)]).toEqual([0.048828125, 0.049560546875, 0.048828125, 0.04833984375]);
  const scales = quantizeScales(absmax);
  expect([scales.offset, scales.absmax[0]]).toEqual([0.0493621826171875, 0.0012664794921875]);
  expect([...scales.codes]).toEqual([41, 195, 41, 13, 208, 222, 208, 208, 222, 208, 0, 13, 195, 86, 195, 222]);
  expect(hex(packed.subarray(0, 16))).toBe("b3b177a424e13bdfd68a2ccf36cc10d0");
  expect(sha256(packed)).toBe("8a1aa1c0fdc60993c07cdba091f49b98ecbb9e3e74c2ee4b6322f1fcd950e0d6");
  const values = dequantizeWeights({ packed, absmax: dequantizeScales(scales) }, { size: 1024, dtype: "bfloat16" });
  expect([...values.subarray(0, 4)]).toEqual([0.0164794921875, -0.019287109375, 0.0164794921875, -0.033935546875]);
  expect(sha256(encodeWeights(values, "bfloat16"))).toBe("f7fd362df9eb8651c776215a8fe5232d0e3c926babc2bd7466a46787befe2b13");
  const power = (list: Float32Array): number => list.reduce((sum, value) => sum + value * value, 0);
  expect(Math.sqrt(power(values.map((value, i) => value - weights[i]!)) / power(weights))).toBeCloseTo(0.0898, 3);
});

it("normally distributed weights come back with a relative error of 0.0924, doubly quantised or not", () => {
  const uniform = randomNumbers(2 ** 17, 7).map((v) => v + 0.5 + 2 ** -16);
  const normal = Float32Array.from(
    { length: 2 ** 16 },
    (_, i) => Math.sqrt(-2 * Math.log(uniform[2 * i]!)) * Math.cos(2 * Math.PI * uniform[2 * i + 1]!),
  );
  const { packed, absmax } = quantizeWeights(normal);
  for (const scales of [absmax, dequantizeScales(quantizeScales(absmax))]) {
    const values = dequantizeWeights({ packed, absmax: scales }, { size: normal.length, dtype: "float32" });
    let [error, power] = [0, 0];
    values.forEach((value, i) => {
      error += (value - normal[i]!) ** 2;
      power += normal[i]! ** 2;
    });
    expect(Math.sqrt(error / power)).toBeCloseTo(0.0924, 3);
  }
});

it("blocks of zeros, short and odd blocks", () => {
  const zeros = quantizeWeights(new Float32Array(64));
  expect([hex(zeros.packed), ...zeros.absmax]).toEqual(["77".repeat(32), 0]);
  expect(hex(quantizeWeights(Float32Array.of(1, -1, 0.5)).packed)).toBe("f0c7");
  expect([...dequantizeWeights({ packed: Uint8Array.of(0x07), absmax: Float32Array.of(NaN) }, { size: 2, dtype: "bfloat16" })]).toEqual([
    NaN,
    NaN,
  ]);
});

it("a constant scale quantises to itself", () => {
  const scales = quantizeScales(Float32Array.of(0.25, 0.25));
  expect(scales).toEqual({ codes: Uint8Array.of(0, 0), absmax: Float32Array.of(0), offset: 0.25 });
  expect([...dequantizeScales(scales)]).toEqual([0.25, 0.25]);
});
