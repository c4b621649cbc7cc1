import { expect, it } from "vitest";
import { generalMetadata, type ModelFacts } from "./general-metadata.js";
import { parseModelName, sizeLabelOf, titleOf } from "./model-name.js";

const of = (facts: Partial<ModelFacts>): Record<string, unknown> =>
  Object.fromEntries(
    generalMetadata({ name: "model", numParameters: 1_777_088_000, ...facts }).map(([key, { value }]) => [
      key.replace("general.", ""),
      value,
    ]),
  );

// What PyPI's gguf 0.19 makes of the same names.
it.each<[name: string, numParameters: number, parts: (string | undefined)[]]>([
  ["deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1_777_088_000, ["deepseek-ai", "DeepSeek-R1-Distill-Qwen", undefined, undefined, "1.5B"]],
  ["Qwen/Qwen2.5-0.5B-Instruct", 494_032_768, ["Qwen", "Qwen2.5", "Instruct", undefined, "0.5B"]],
  ["my-model", 0, [undefined, undefined, undefined, undefined, undefined]],
  ["bloom-7b1-petals", 0, [undefined, "bloom", "petals", undefined, "7.1B"]],
  ["llama-3-8b-128k-v1.0", 8e9, [undefined, "llama-3", "128k", "v1.0", "8B"]],
  ["Mixtral-8x7B-Instruct-v0.1", 0, [undefined, "Mixtral", "Instruct", "v0.1", "8x7B"]],
  ["large-model-small-2B", 0, [undefined, "large-model-small", undefined, undefined, "2B"]],
  ["../bar-1b", 0, [undefined, "bar", undefined, undefined, "1B"]],
  ["A sentence name", 0, [undefined, undefined, undefined, undefined, undefined]],
])("%s of %i parameters is taken apart", (name, numParameters, expected) => {
  const { organization, basename, finetune, version, sizeLabel } = parseModelName(name, numParameters);
  expect([organization, basename, finetune, version, sizeLabel]).toEqual(expected);
});

it("titles and sizes are the converter's", () => {
  expect(["my-tiny-v2-model", "DeepSeek-R1-Distill-Qwen-1.5B", "o'neil"].map(titleOf)).toEqual([
    "My Tiny v2 Model",
    "DeepSeek R1 Distill Qwen 1.5B",
    "O'Neil",
  ]);
  expect([1_777_088_000, 494_032_768, 152_064, 999, 1e6, 72e9, 1.5e12].map(sizeLabelOf)).toEqual([
    "1.8B",
    "494M",
    "152K",
    "1.0K",
    "1000K",
    "72B",
    "1.5T",
  ]);
});

it("a name says its parts; _name_or_path comes before it, the card before both", () => {
  expect(of({ name: "DeepSeek-R1-Distill-Qwen-1.5B" })).toEqual({
    name: "DeepSeek R1 Distill Qwen 1.5B",
    basename: "DeepSeek-R1-Distill-Qwen",
    size_label: "1.5B",
  });
  expect(of({ name: "x", config: { _name_or_path: "org/Foo-Chat" } })).toEqual({
    name: "Foo Chat",
    organization: "Org",
    finetune: "Chat",
    basename: "Foo",
    size_label: "1.8B",
  });
  expect(of({ name: "x", config: { _name_or_path: "/home/me/Foo-Chat" } })["name"]).toBe("X");
  expect(of({ card: { model_name: "Mine", license: ["mit", "apache-2.0"] } })).toEqual({
    name: "Mine",
    size_label: "1.8B",
    license: "mit,apache-2.0",
  });
});

it("the card says what the model comes from", () => {
  const card = {
    base_model: "Qwen/Qwen2.5-1.5B",
    datasets: ["trl-lib/kto-mix-14k", "https://example.org/rows"],
    tags: ["kto"],
    pipeline_tag: "text-generation",
    language: "en",
  };
  expect(of({ card })).toEqual({
    name: "Model",
    size_label: "1.8B",
    "base_model.count": 1,
    "base_model.0.name": "Qwen2.5 1.5B",
    "base_model.0.organization": "Qwen",
    "base_model.0.repo_url": "https://huggingface.co/Qwen/Qwen2.5-1.5B",
    "dataset.count": 2,
    "dataset.0.name": "Kto Mix 14k",
    "dataset.0.organization": "Trl Lib",
    "dataset.0.repo_url": "https://huggingface.co/trl-lib/kto-mix-14k",
    "dataset.1.repo_url": "https://example.org/rows",
    tags: ["kto", "text-generation"],
    languages: ["en"],
  });
});

it("of the settings of generation the usable ones are there", () => {
  const generationConfig = { top_k: 20, top_p: 0.95, temperature: 0.6, min_p: "x", mirostat: 1.5, do_sample: true };
  expect(generalMetadata({ name: "m", numParameters: 1, generationConfig }).slice(0, 3)).toEqual([
    ["general.sampling.top_k", { type: "i32", value: 20 }],
    ["general.sampling.top_p", { type: "f32", value: 0.95 }],
    ["general.sampling.temp", { type: "f32", value: 0.6 }],
  ]);
});

it("a card that is none says nothing", () => {
  for (const card of [null, "text", [1], { base_model: 7, datasets: {}, license: {} }])
    expect(of({ card })).toEqual({ name: "Model", size_label: "1.8B" });
});
