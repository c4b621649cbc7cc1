import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ArgumentError, FormatError } from "@kto/core";
import { describe, expect, it } from "vitest";
import type { MetadataValue } from "../container/metadata.js";
import { encodeGguf } from "../container/writer.js";
import { type TokenizerFiles, tokenizerMetadata } from "./tokenizer-metadata.js";

// The JSON of a tokenizer is changed at will here.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

const fixture = (name: string): Json =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../../../testing/fixtures/model/${name}`, import.meta.url)), "utf8"));

const VOCAB_SIZE = 512;

/** The tokenizer of the tiny model, changed. */
function files(change: (files: { tokenizerJson: Json; tokenizerConfig: Json; config: Json }) => unknown = () => undefined): TokenizerFiles {
  const made = {
    tokenizerJson: fixture("tokenizer.json"),
    tokenizerConfig: fixture("tokenizer_config.json"),
    config: fixture("config.json"),
  };
  change(made);
  return made;
}

function valuesOf(given: TokenizerFiles, vocabSize = VOCAB_SIZE): Record<string, MetadataValue["value"]> {
  return Object.fromEntries(tokenizerMetadata(given, vocabSize).map(([key, { value }]) => [key.replace("tokenizer.ggml.", ""), value]));
}

describe("the tiny model's tokenizer", () => {
  const json = fixture("tokenizer.json");

  it("has the keys of llama.cpp's converter, in its order, and types that it reads", async () => {
    const metadata = tokenizerMetadata(files(), VOCAB_SIZE);
    expect(metadata.map(([key, { type }]) => `${key.replace("tokenizer.", "")} ${type}`)).toEqual([
      "ggml.model string",
      "ggml.pre string",
      "ggml.tokens array",
      "ggml.token_type array",
      "ggml.merges array",
      "ggml.bos_token_id u32",
      "ggml.eos_token_id u32",
      "ggml.padding_token_id u32",
      "ggml.add_bos_token bool",
      "ggml.add_eos_token bool",
      "chat_template string",
    ]);
    await encodeGguf({ metadata, tensors: [] }); // throws for a value that its type does not hold
  });

  it("has a text and a type for each row of the embedding", () => {
    const { tokens, token_type: types, merges } = valuesOf(files()) as { tokens: string[]; token_type: Int32Array; merges: string[] };
    expect([tokens.length, types.length]).toEqual([VOCAB_SIZE, VOCAB_SIZE]);
    for (const [text, id] of Object.entries<number>(json.model.vocab)) expect([tokens[id], types[id]]).toEqual([text, 1]);
    for (const { id, content } of json.added_tokens) expect(tokens[id]).toBe(content);
    const typeOf = (text: string): number | undefined => types[tokens.indexOf(text)];
    expect(typeOf("<｜User｜>")).toBe(3); // not flagged special, but looks so
    expect(typeOf("<think>")).toBe(4); // as a control token it would vanish from the answer
    const unused = VOCAB_SIZE - Object.keys(json.model.vocab).length - json.added_tokens.length;
    expect(tokens.filter((text) => /^\[PAD\d+\]$/.test(text))).toHaveLength(unused);
    expect(unused).toBeGreaterThan(0);
    expect([tokens.at(-1), types.at(-1)]).toEqual(["[PAD511]", 5]);
    expect(merges).toEqual(json.model.merges.map((pair: string[]) => pair.join(" ")));
  });

  it("has special ids, flags and the template", () => {
    expect(valuesOf(files())).toMatchObject({
      model: "gpt2",
      pre: "deepseek-r1-qwen",
      bos_token_id: 491,
      eos_token_id: 488,
      padding_token_id: 497,
      add_bos_token: true,
      add_eos_token: false,
      "tokenizer.chat_template": fixture("tokenizer_config.json").chat_template,
    });
  });
});

describe("what other models have", () => {
  it("without BOS before a text it is qwen2", () => {
    const plain = files(({ tokenizerJson }) => (tokenizerJson.post_processor = { type: "ByteLevel" }));
    expect(valuesOf(plain)).toMatchObject({ pre: "qwen2", add_bos_token: false, add_eos_token: false });
  });

  it("a flag of tokenizer_config.json stands above the post-processor", () => {
    const flagged = files(({ tokenizerConfig }) => Object.assign(tokenizerConfig, { add_bos_token: false, add_eos_token: true }));
    expect(valuesOf(flagged)).toMatchObject({ pre: "qwen2", add_bos_token: false, add_eos_token: true });
  });

  it("merges of texts are taken as pairs are", () => {
    const texts = files(
      ({ tokenizerJson }) => (tokenizerJson.model.merges = tokenizerJson.model.merges.map((pair: string[]) => pair.join(" "))),
    );
    expect(valuesOf(texts)["merges"]).toEqual(valuesOf(files())["merges"]);
    expect(valuesOf(files(({ tokenizerJson }) => (tokenizerJson.model.merges = [])))["merges"]).toEqual([]);
  });

  it("ids come from config.json where the tokenizer names no token, and not from beyond the embedding", () => {
    const unnamed = files(({ tokenizerConfig, config }) => {
      delete tokenizerConfig.bos_token;
      tokenizerConfig.eos_token = { content: "<｜Assistant｜>" };
      config.bos_token_id = 3;
      config.mask_token_id = 512;
      config.sep_token_id = [1];
      delete tokenizerConfig.pad_token;
      delete config.pad_token_id;
    });
    const values = valuesOf(unnamed);
    expect(values).toMatchObject({ bos_token_id: 3, eos_token_id: 490 });
    for (const key of ["mask_token_id", "seperator_token_id", "padding_token_id", "unknown_token_id"])
      expect(values).not.toHaveProperty(key);
  });

  it("added tokens that only tokenizer_config.json has are there", () => {
    const decoded = files(({ tokenizerConfig }) => (tokenizerConfig.added_tokens_decoder = { 511: { content: "▁new", special: false } }));
    const { tokens, token_type: types } = valuesOf(decoded) as { tokens: string[]; token_type: Int32Array };
    expect([tokens[511], types[511]]).toEqual([" new", 4]);
  });

  it("the template is looked for in three places", () => {
    const without = files(({ tokenizerConfig }) => delete tokenizerConfig.chat_template);
    const template = (more: Partial<TokenizerFiles>): unknown => valuesOf({ ...without, ...more })["tokenizer.chat_template"];
    expect(template({})).toBeUndefined();
    expect(template({ chatTemplateJinja: "of jinja", chatTemplateJson: { chat_template: "of json" } })).toBe("of jinja");
    expect(template({ chatTemplateJson: { chat_template: "of json" } })).toBe("of json");
    expect(valuesOf({ ...files(), chatTemplateJinja: "of jinja" })["tokenizer.chat_template"]).not.toBe("of jinja");
  });

  it("of named templates default is the model's", () => {
    const named = files(
      ({ tokenizerConfig }) =>
        (tokenizerConfig.chat_template = [
          { name: "default", template: "a" },
          { name: "tool-use", template: "b" },
        ]),
    );
    expect(valuesOf(named)).toMatchObject({
      "tokenizer.chat_templates": ["tool-use"],
      "tokenizer.chat_template.tool_use": "b",
      "tokenizer.chat_template": "a",
    });
  });
});

describe("refuses", () => {
  const cases: [what: string, change: Parameters<typeof files>[0], message: RegExp][] = [
    [
      "another kind of tokenizer",
      ({ tokenizerJson }) => (tokenizerJson.model.type = "Unigram"),
      /expected model\.type "BPE", got "Unigram"/,
    ],
    [
      "another pattern",
      ({ tokenizerJson }) => (tokenizerJson.pre_tokenizer.pretokenizers[0].pattern.Regex = "\\p{N}{1,3}"),
      /the pre-tokenizer is not Qwen2's; expected the pattern .*, got "\\\\p\{N\}\{1,3\}"; llama\.cpp would cut texts in another way/,
    ],
    [
      "no pattern",
      ({ tokenizerJson }) => (tokenizerJson.pre_tokenizer = { type: "ByteLevel", use_regex: true }),
      /not Qwen2's; .* got \{"type":"ByteLevel"/,
    ],
    [
      "one more step",
      ({ tokenizerJson }) => tokenizerJson.pre_tokenizer.pretokenizers.unshift({ type: "Digits", individual_digits: true }),
      /not Qwen2's; .* got .*Digits/,
    ],
    ["no merges", ({ tokenizerJson }) => delete tokenizerJson.model.merges, /no merges; expected a list at model\.merges, got undefined/],
    ["a merge of three", ({ tokenizerJson }) => (tokenizerJson.model.merges[4] = "a b c"), /merge 4 is not usable; .* got "a b c"/],
    [
      "a token beyond the embedding",
      ({ tokenizerJson }) => tokenizerJson.added_tokens.push({ id: 512, content: "<new>", special: true }),
      /token "<new>" has no row in the embedding; expected an id below 512, got 512; resize the embedding/,
    ],
    [
      "one text for two ids",
      ({ tokenizerJson }) => tokenizerJson.added_tokens.push({ id: 511, content: "<think>", special: false }),
      /two tokens have one text, which ends llama\.cpp; expected "<think>" once, got it as \d+ and 511/,
    ],
    [
      "one id for two texts",
      ({ tokenizerJson }) => (tokenizerJson.model.vocab["a new one"] = 7),
      /two tokens have id 7; expected one, got .* and "a new one"/,
    ],
    ["an added token without a text", ({ tokenizerJson }) => delete tokenizerJson.added_tokens[0].content, /added token 488 has no text/],
    [
      "an unusable template",
      ({ tokenizerConfig }) => (tokenizerConfig.chat_template = [{ name: "default" }]),
      /chat template 0 is not usable/,
    ],
  ];
  it.each(cases)("%s", (_, change, message) => {
    expect(() => tokenizerMetadata(files(change), VOCAB_SIZE)).toThrow(FormatError);
    expect(() => tokenizerMetadata(files(change), VOCAB_SIZE)).toThrow(message);
  });

  it("an embedding of no size, and no tokenizer at all", () => {
    expect(() => tokenizerMetadata(files(), 0)).toThrow(ArgumentError);
    expect(() => tokenizerMetadata({ tokenizerJson: null }, VOCAB_SIZE)).toThrow(FormatError);
  });
});
