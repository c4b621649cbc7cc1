import { beforeAll, describe, expect, it } from "vitest";
import { GGML_TYPES } from "../ggml-types.js";
import { quantize, QUANTIZED_TYPES } from "../quantize.js";
import { conformance, hex, inputs, sha256 } from "../testing/conformance.js";
import { hardImportance, hardValues } from "../testing/hard-values.js";
import { compileModule } from "./compiled-module.js";
import { type Kernel, openKernel, type Piece } from "./kernel.js";

const types = QUANTIZED_TYPES.filter((type) => type !== "F32");
const blockTypes = types.filter((type) => GGML_TYPES[type].blockValues > 1);
const takesImportance = (type: string): boolean => type !== "F16" && type !== "BF16";

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel((await compileModule())!.module);
});

function bytesOf(piece: Omit<Piece, "rowSize">): Uint8Array {
  const result = kernel.quantize({ rowSize: piece.importance?.length ?? piece.values.length, ...piece });
  if ("bytes" in result) return result.bytes;
  throw new Error(`${piece.type} was refused: ${JSON.stringify(result)}`);
}

describe.each(blockTypes)("%s", (type) => {
  it("gives the reference's bytes", () => {
    const made = Object.entries(inputs).map(([name, values]) => [name, sha256(bytesOf({ type, values }))]);
    expect(Object.fromEntries(made)).toEqual(conformance.blocks[type]!.sha256);
  });
});

it("F16 and BF16 are the reference's", () => {
  expect(sha256(bytesOf({ type: "F16", values: inputs["V5"]! }))).toBe(conformance.halves.F16);
  expect(sha256(bytesOf({ type: "BF16", values: inputs["V5"]! }))).toBe(conformance.halves.BF16);
});

it.each(Object.entries(conformance.withImportance))("gives the reference's bytes of V5 as %s with importance", (type, expected) => {
  const importance = Float32Array.from({ length: 256 }, (_, column) => 1 + 0.25 * (column % 5));
  expect(sha256(bytesOf({ type: type as Piece["type"], values: inputs["V5"]!, importance }))).toBe(expected);
});

describe.each(Object.entries(hardValues(2304)))("of values that are %s", (_, all) => {
  it.each(types)("%s has the bytes of the plain code", (type) => {
    const values = GGML_TYPES[type].blockValues === 256 ? all : all.subarray(0, -32); // 71 blocks are not all in fours
    expect(hex(bytesOf({ type, values }))).toBe(hex(quantize(values, type)));
  });
});

// Rows of three blocks of 32, so that four blocks that are fitted together are of two rows.
const ofBlocks32 = hardImportance(96);
const ofBlocks256 = hardImportance(768);
describe.each(Object.keys(ofBlocks32))("with importance: %s", (name) => {
  it.each(types.filter(takesImportance))("%s has the bytes of the plain code", (type) => {
    const importance = (GGML_TYPES[type].blockValues === 32 ? ofBlocks32 : ofBlocks256)[name]!;
    const length = GGML_TYPES[type].blockValues === 32 ? 5 * 96 : 2 * 768;
    for (const [what, values] of Object.entries(hardValues(length))) {
      expect(`${what} ${hex(bytesOf({ type, values, importance }))}`).toBe(`${what} ${hex(quantize(values, type, { importance }))}`);
    }
  });
});

it.each(blockTypes)("%s refuses what is not finite, huge, or has no finite scale", (type) => {
  const { blockValues } = GGML_TYPES[type];
  const run = (value: number): unknown =>
    kernel.quantize({
      type,
      values: new Float32Array(9 * blockValues).fill(value, 5 * blockValues + 3, 5 * blockValues + 4),
      rowSize: blockValues,
    });
  for (const value of [NaN, -NaN, Infinity, -Infinity, 2 ** 30 * 1.001, -3e38]) expect(run(value)).toEqual({ isUnusable: true });
  expect(run(1e9)).toEqual({ refusedAt: 5 * blockValues });
});

it.each(["F16", "BF16"] as const)("%s refuses the first value that becomes infinite, or is none", (type) => {
  const largest = type === "F16" ? 65519.996 : 3.3961773e38;
  const first = type === "F16" ? 65520 : 2 ** 128 - 2 ** 119;
  const run = (value: number): unknown => kernel.quantize({ type, values: Float32Array.of(1, largest, value, value, 1), rowSize: 5 });
  expect(run(-largest)).toHaveProperty("bytes");
  for (const value of [first, -first, NaN, -Infinity]) expect(run(value)).toEqual({ refusedAt: 2 });
});

it("takes values at any place of their memory, and pieces of all sizes one after another", () => {
  const memory = new Float32Array(300);
  memory.set(inputs["V1"]!, 3);
  for (const values of [memory.subarray(3, 259), inputs["V5"]!.subarray(0, 65536), memory.subarray(3, 259)]) {
    expect(hex(bytesOf({ type: "Q6_K", values }))).toBe(hex(quantize(values, "Q6_K")));
  }
  expect(bytesOf({ type: "Q4_K", values: new Float32Array(0) })).toHaveLength(0);
});
