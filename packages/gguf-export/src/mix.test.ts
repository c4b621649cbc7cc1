import { ArgumentError, DtypeError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { planGguf } from "./container/header-writer.js";
import { GGUF_FILE_TYPES, type GgufFileType, readGgufFileType } from "./file-types.js";
import { tensorTypes } from "./mix.js";
import { conformance } from "./testing/conformance.js";
import { publishedModels, tensorsOf } from "./testing/golden-models.js";

const distill = publishedModels["R1-Distill-1.5B"]!;

const typesOf = (fileType: GgufFileType, model = distill): Map<string, string> => tensorTypes(fileType, tensorsOf(model), model);

function countTypes(fileType: GgufFileType): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const type of typesOf(fileType).values()) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

describe.each(Object.entries(conformance.dataBytes))("%s", (kind, byModel) => {
  it.each(Object.entries(byModel))("has llama.cpp's size for %s", (name, expected) => {
    const model = publishedModels[name]!;
    const tensors = tensorsOf(model);
    const types = tensorTypes(kind as GgufFileType, tensors, model);
    const plan = planGguf(
      [],
      tensors.map((tensor) => ({ ...tensor, type: types.get(tensor.name)! })),
    );
    expect(plan.totalBytes - plan.header.byteLength).toBe(expected);
  });
});

it("counts of types are those of the distilled model's files", () => {
  expect(countTypes("Q4_K_M")).toEqual({ Q6_K: 29, Q4_K: 169, F32: 141 });
  expect(countTypes("Q3_K_M")).toEqual({ Q6_K: 1, Q5_K: 3, Q4_K: 81, Q3_K: 113, F32: 141 });
  expect(countTypes("Q2_K")).toEqual({ Q6_K: 1, Q4_K: 28, Q3_K: 56, Q2_K: 113, F32: 141 });
  expect(countTypes("Q4_K_S")).toEqual({ Q6_K: 1, Q5_K: 7, Q4_K: 190, F32: 141 });
  expect(countTypes("Q8_0")).toEqual({ Q8_0: 198, F32: 141 });
});

it.each([
  [24, [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23]],
  [28, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]],
  [36, [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 31, 32, 33, 34, 35]],
])("of %i layers these keep more bits", (numHiddenLayers, expected) => {
  const types = typesOf("Q4_K_M", { ...distill, numHiddenLayers });
  const kept = Array.from({ length: numHiddenLayers }, (_, layer) => layer).filter(
    (layer) => types.get(`blk.${layer}.attn_v.weight`) === "Q6_K",
  );
  expect(kept).toEqual(expected);
});

it("a model of 80 layers keeps more bits of the values", () => {
  const types = typesOf("Q4_K_S", { ...distill, numHiddenLayers: 80 });
  expect(types.get("blk.60.attn_v.weight")).toBe("Q5_K");
});

it("with an importance matrix the first eighth of ffn_down keeps a minimum too in Q4_0 and Q5_0", () => {
  for (const [kind, first] of [
    ["Q4_0", "Q4_1"],
    ["Q5_0", "Q5_1"],
    ["IQ4_NL", "IQ4_NL"],
    ["IQ4_XS", "IQ4_XS"],
  ] as const) {
    const types = tensorTypes(kind, tensorsOf(distill), distill, { hasImportance: true });
    const layers = Array.from({ length: 28 }, (_, layer) => types.get(`blk.${layer}.ffn_down.weight`));
    expect(layers).toEqual([...new Array<string>(3).fill(first), ...new Array<string>(25).fill(kind)]);
    expect([...types].filter(([name]) => !name.includes("ffn_down"))).toEqual(
      [...typesOf(kind)].filter(([name]) => !name.includes("ffn_down")),
    );
  }
});

it("rows that no block divides are F16", () => {
  const tensors = [
    { name: "token_embd.weight", shape: [64, 48] },
    { name: "blk.0.ffn_up.weight", shape: [128, 48] },
    { name: "blk.0.ffn_down.weight", shape: [48, 128] },
  ];
  expect([...tensorTypes("Q4_K_M", tensors, { numHiddenLayers: 1, numAttentionHeads: 1, numKeyValueHeads: 1 })]).toEqual([
    ["token_embd.weight", "F16"],
    ["blk.0.ffn_down.weight", "Q8_0"],
    ["blk.0.ffn_up.weight", "F16"],
  ]);
});

it("the order is that of the quantiser's files", () => {
  const names = [...typesOf("F16").keys()];
  expect(names.slice(0, 4)).toEqual(["output.weight", "output_norm.weight", "token_embd.weight", "blk.0.attn_k.bias"]);
  expect(names.indexOf("blk.2.attn_k.bias")).toBeLessThan(names.indexOf("blk.10.attn_k.bias"));
  expect(names.slice(-2)).toEqual(["blk.27.ffn_norm.weight", "blk.27.ffn_up.weight"]);
});

it("refuses an unknown kind and a model that cannot be", () => {
  expect(() => typesOf("Q4_K" as GgufFileType)).toThrow(DtypeError);
  expect(() => typesOf("Q4_K" as GgufFileType)).toThrow(
    `tensorTypes: this kind of file is not known here; expected one of ${Object.keys(GGUF_FILE_TYPES).join(", ")}, got "Q4_K"`,
  );
  expect(() => typesOf("F16", { ...distill, numKeyValueHeads: 0 })).toThrow(ArgumentError);
});

it("kinds have other names, in large and small letters", () => {
  expect(["q4_k_m", "Q4_K", "q5_k", "quantized", "fast_quantized", "f16"].map((name) => readGgufFileType(name))).toEqual([
    "Q4_K_M",
    "Q4_K_M",
    "Q5_K_M",
    "Q4_K_M",
    "Q8_0",
    "F16",
  ]);
  expect([readGgufFileType("not_quantized"), readGgufFileType("not_quantized", "F16")]).toEqual(["BF16", "F16"]);
  for (const name of ["q9", "", "constructor", "toString"])
    expect(() => readGgufFileType(name)).toThrow(
      `readGgufFileType: there is no such type of GGUF file; expected one of F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q5_1, Q5_0, Q4_K_M`,
    );
});
