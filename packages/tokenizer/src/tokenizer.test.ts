import { readFileSync } from "node:fs";
import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { STAND_IN_CHAT_TEMPLATE } from "@kto/chat-templates";
import { splitPromptCompletion, Tokenizer, TokenizerError, type TokenizerFiles } from "./index.js";

const model = new URL("../../testing/fixtures/model/", import.meta.url);
const text = (name: string): string => readFileSync(new URL(name, model), "utf8");
interface Json {
  [key: string]: unknown;
  added_tokens: { id: number; content: string; special: boolean }[];
  model: { merges: [string, string][]; vocab: Record<string, number> };
  post_processor: unknown;
}
const tokenizerJson = JSON.parse(text("tokenizer.json")) as Json;
const config = JSON.parse(text("tokenizer_config.json")) as Record<string, unknown>;
const make = (files: Partial<TokenizerFiles> = {}): Tokenizer => Tokenizer.fromFiles({ tokenizerJson, tokenizerConfig: config, ...files });
const byteLevelOnly = {
  ...tokenizerJson,
  post_processor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
};

const BOS = 491;
const EOS = 488;
const sample = "Hello world, I'LL say 42!";

describe("special tokens", () => {
  it("knows them by text and id", () => {
    const tokenizer = make();
    expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken, tokenizer.unkToken]).toEqual([
      "<｜begin▁of▁sentence｜>",
      "<｜end▁of▁sentence｜>",
      "<|vision_pad|>",
      null,
    ]);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId, tokenizer.unkTokenId]).toEqual([BOS, EOS, 497, null]);
    expect([tokenizer.vocabSize, tokenizer.modelMaxLength, tokenizer.isSpecial(EOS), tokenizer.isSpecial(493)]).toEqual([
      500,
      4096,
      true,
      false,
    ]);
    expect([
      tokenizer.tokenToId("<think>"),
      tokenizer.idToToken(493),
      tokenizer.tokenToId("nowhere"),
      tokenizer.idToToken(499 + 7),
    ]).toEqual([493, "<think>", null, null]);
  });

  it("pads with EOS where the model names no padding, and reads generation_config last", () => {
    const { pad_token: _, ...withoutPad } = config;
    expect(make({ tokenizerConfig: withoutPad }).padTokenId).toBe(EOS);
    expect(make({ tokenizerConfig: withoutPad, generationConfig: { pad_token_id: 495 } }).padTokenId).toBe(EOS);
    const bare = make({ tokenizerConfig: {}, generationConfig: { pad_token_id: 497, eos_token_id: [496, 488] } });
    expect([bare.eosTokenId, bare.padTokenId, bare.eosTokenIds, bare.bosToken]).toEqual([496, 496, [496, 488], null]);
    const onlyPad = make({ tokenizerConfig: {}, generationConfig: { pad_token_id: 497 } });
    expect([onlyPad.eosTokenId, onlyPad.padTokenId]).toEqual([null, 497]);
    expect(make().eosTokenIds).toEqual([EOS]);
  });

  it("accepts tokens written as objects; special_tokens_map.json wins over the config", () => {
    const tokenizer = make({
      tokenizerConfig: { eos_token: { content: "<|im_end|>", lstrip: false } },
      specialTokensMap: { eos_token: "<|EOT|>", bos_token: { content: "<|im_start|>" } },
    });
    expect([tokenizer.eosTokenId, tokenizer.bosTokenId]).toEqual([492, 495]);
  });

  it("adds named special tokens that tokenizer.json lacks, as transformers does on loading", () => {
    const tokenizer = make({
      tokenizerConfig: {
        ...config,
        unk_token: "<unk>",
        additional_special_tokens: ["Ġi"],
        added_tokens_decoder: { "600": { content: "<new>", special: false } },
      },
    });
    const ids = tokenizer.encode("a<new>b<unk>", { addSpecialTokens: false });
    expect(ids).toEqual([64, 500, 65, 501]);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("a<new>b");
    expect(tokenizer.tokenToId("Ġi")).toBe(tokenizerJson.model.vocab["Ġi"]);
    expect([tokenizer.unkTokenId, tokenizer.vocabSize]).toEqual([501, 502]);
  });
});

describe("BOS and EOS around a text", () => {
  const plain = make().encode(sample, { addSpecialTokens: false });

  it("come from the post-processor", () => {
    expect(make().encode(sample)).toEqual([BOS, ...plain]);
    expect(make({ tokenizerJson: byteLevelOnly }).encode(sample)).toEqual(plain);
    expect(make({ tokenizerJson: { ...tokenizerJson, post_processor: null } }).encode(sample)).toEqual(plain);
  });

  it("and from nothing else: add_bos_token and add_eos_token are not read, as in transformers 5", () => {
    expect(make({ tokenizerConfig: { ...config, add_bos_token: false, add_eos_token: true } }).encode(sample)).toEqual([BOS, ...plain]);
    expect(
      make({ tokenizerJson: byteLevelOnly, tokenizerConfig: { ...config, add_bos_token: true, add_eos_token: true } }).encode(sample),
    ).toEqual(plain);
    expect(make({ tokenizerConfig: { ...config, add_bos_token: true } }).encode(sample, { addSpecialTokens: false })).toEqual(plain);
  });

  it("a plain text with EOS behind it ends with one EOS, whatever add_eos_token says", () => {
    const tokenizer = make({ tokenizerConfig: { ...config, add_bos_token: true, add_eos_token: true } });
    const { completionIds } = splitPromptCompletion(tokenizer, { prompt: "Name fruit 0:", completion: " plum" });
    expect(tokenizer.decode(completionIds)).toBe(" plum<｜end▁of▁sentence｜>");
  });
});

describe("encoding", () => {
  it("takes merges as pairs or as strings", () => {
    const merges = tokenizerJson.model.merges.map((pair) => pair.join(" "));
    const strings = make({ tokenizerJson: { ...tokenizerJson, model: { ...tokenizerJson.model, merges } } });
    expect(strings.encode(sample)).toEqual(make().encode(sample));
  });

  it("takes the longest added token at the leftmost place, in the raw text, before normalisation", () => {
    const tokenizer = make();
    expect(tokenizer.encode("<think></think><|im_end|>x", { addSpecialTokens: false })).toEqual([493, 494, 496, 87]);
    expect(tokenizer.encode("e\u0301", { addSpecialTokens: false })).toEqual(tokenizer.encode("\u00e9", { addSpecialTokens: false }));
  });

  it("splits a contraction with a long s as Rust's Unicode case folding does", () => {
    const merges: [string, string][] = [
      ["Å", "¿"],
      ["Å¿", "a"],
      ["'", "Å¿"],
    ];
    const vocab = { ...tokenizerJson.model.vocab, "Å¿": 600, "'Å¿": 601, "Å¿a": 602 };
    const tokenizer = make({ tokenizerJson: { ...tokenizerJson, model: { ...tokenizerJson.model, vocab, merges } } });
    expect(tokenizer.encode("'ſa", { addSpecialTokens: false })).toEqual([601, 64]);
  });

  it("treats U+0085 as blank and U+FEFF as not, unlike JavaScript's \\s", () => {
    const tokenizer = make();
    expect(tokenizer.encode("\u0085\u0085a", { addSpecialTokens: false }).length).toBe(5);
    expect(tokenizer.decode(tokenizer.encode("\ufeffa \u0085", { addSpecialTokens: false }))).toBe("\ufeffa \u0085");
  });
});

describe("decoding", () => {
  it("leaves out ids without a token, and gives nothing for nothing", () => {
    const tokenizer = make();
    expect([tokenizer.decode([]), tokenizer.decode([64, 507, 9_999, 65]), tokenizer.decode(new Uint32Array([64, 488]))]).toEqual([
      "",
      "ab",
      "a<｜end▁of▁sentence｜>",
    ]);
    expect(tokenizer.decode([491, 64, 493, 488], { skipSpecialTokens: true })).toBe("a<think>");
  });

  it("cleans up spaces of byte pairs only where the config asks for it in so many words", () => {
    const ids = make().encode("it 's fine , no ?", { addSpecialTokens: false });
    const asked = { ...config, clean_up_tokenization_spaces: true };
    expect(make({ tokenizerConfig: asked }).decode(ids)).toBe("it 's fine , no ?");
    const insists = { ...asked, clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: true };
    expect(make({ tokenizerConfig: insists }).decode(ids)).toBe("it's fine, no?");
  });
});

describe("chat templates", () => {
  const messages = [{ role: "user", content: "Hi" }];

  it("gives ids by default and text on request, without a second BOS", () => {
    const tokenizer = make();
    expect(tokenizer.applyChatTemplate(messages, { tokenize: false, addGenerationPrompt: true })).toBe(
      "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>\n",
    );
    expect(tokenizer.applyChatTemplate(messages)).toEqual([491, 489, 39, 72]);
  });

  it("prefers chat_template.jinja, then the config; several by name; tool_use with tools", () => {
    const chat_template = [
      { name: "default", template: "D{{ eos_token }}" },
      { name: "tool_use", template: "T" },
    ];
    const several = make({ tokenizerConfig: { ...config, chat_template } });
    const render = (options: object): string => several.applyChatTemplate(messages, { ...options, tokenize: false });
    expect([render({}), render({ tools: [{}] }), render({ chatTemplate: "tool_use" }), render({ chatTemplate: "X{{ 1 }}" })]).toEqual([
      "D<｜end▁of▁sentence｜>",
      "T",
      "T",
      "X1",
    ]);
    expect([...several.chatTemplates.keys()]).toEqual(["default", "tool_use"]);
    expect(make({ chatTemplate: "J" }).applyChatTemplate(messages, { tokenize: false })).toBe("J");
    several.chatTemplate = "mine";
    expect(render({})).toBe("mine");
  });

  it("a template stands in for a model without one: EOS ends each turn and nothing follows it, and it goes with the files", () => {
    const { chat_template: _, ...withoutTemplate } = config;
    const tokenizer = make({ tokenizerConfig: withoutTemplate });
    expect(tokenizer.chatTemplate).toBeNull();
    expect(tokenizer.files().has("chat_template.jinja")).toBe(false);
    expect(tokenizer.renderChat(messages)).toEqual({
      text: "<|user|>\nHi<｜end▁of▁sentence｜>",
      generations: [],
      copiedReasoning: null,
      template: { text: STAND_IN_CHAT_TEMPLATE, source: "stand-in", name: null, others: [] },
    });
    expect(tokenizer.files().get("chat_template.jinja")).toBe(STAND_IN_CHAT_TEMPLATE);
    const completion = [{ role: "assistant", content: "plum" }];
    const { promptIds, completionIds } = splitPromptCompletion(tokenizer, { prompt: messages, completion });
    expect([tokenizer.decode(promptIds), tokenizer.decode(completionIds)]).toEqual([
      "<|user|>\nHi<｜end▁of▁sentence｜><|assistant|>\n",
      "plum<｜end▁of▁sentence｜>",
    ]);
    expect(() => tokenizer.applyChatTemplate([{ role: "assistant", content: null }])).toThrow("give a chat template");
  });

  it("says which template was taken, and which were not", () => {
    const chat_template = [
      { name: "default", template: "D" },
      { name: "tool_use", template: "T" },
    ];
    const several = make({ tokenizerConfig: { ...config, chat_template } });
    expect(several.templateFor()).toEqual({ text: "D", source: "model", name: "default", others: ["tool_use"] });
    expect(several.templateFor({ tools: [] })).toEqual({ text: "T", source: "model", name: "tool_use", others: ["default"] });
    expect(several.templateFor({ chatTemplate: "G" })).toEqual({ text: "G", source: "given", name: null, others: ["default", "tool_use"] });
    const nameless = make({ tokenizerConfig: { ...config, chat_template: [{ name: "a", template: "A" }] } });
    expect(() => nameless.applyChatTemplate(messages)).toThrow("multiple chat templates with no default");
    expect(nameless.applyChatTemplate(messages, { chatTemplate: "a", tokenize: false })).toBe("A");
  });

  it("masks the assistant's tokens, also where characters take several and NFC shortens the text", () => {
    const template = "{% for m in messages %}[{{ m.role }}]{% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}";
    const tokenizer = make({ chatTemplate: template });
    const { ids, assistantMask } = tokenizer.applyChatTemplateWithMask([{ role: "a", content: "e\u0301 語!" }]);
    expect(tokenizer.decode(ids.filter((_, index) => assistantMask[index] === 1))).toBe("é 語!");
    const { assistantMask: none } = make().applyChatTemplateWithMask(messages);
    expect(none).toEqual([0, 0, 0, 0]);
    expect([tokenizer.hasGenerationBlocks(), make().hasGenerationBlocks(), make().hasGenerationBlocks({ chatTemplate: template })]).toEqual(
      [true, false, true],
    );
    const { assistantMask: threeTokens } = tokenizer.applyChatTemplateWithMask([{ role: "a", content: "ab語" }]);
    expect(threeTokens).toEqual([0, 0, 0, 1, 1, 1, 1, 1]);
  });
});

it("withEosToken names another EOS token, in the template and the files too", () => {
  const own = make({ specialTokensMap: { eos_token: "x" }, chatTemplate: "{{ eos_token }}" });
  const token = own.idToToken(own.encode("a", { addSpecialTokens: false })[0]!)!;
  const other = own.withEosToken(token)!;
  expect([other.eosToken, other.eosTokenId]).toEqual([token, own.tokenToId(token)]);
  expect(other.eosTokenIds).toContain(other.eosTokenId);
  expect(other.applyChatTemplate([{ role: "user", content: "a" }], { tokenize: false })).toBe(token);
  for (const name of ["tokenizer_config.json", "special_tokens_map.json"])
    expect(JSON.parse(other.files().get(name) as string)).toMatchObject({ eos_token: token });
  expect(own.eosToken).not.toBe(token);
  expect(own.withEosToken("no such token")).toBeUndefined();
});

describe("splitPromptCompletion", () => {
  it("appends EOS to plain text once, and nothing to conversations", () => {
    const tokenizer = make();
    const { promptIds, completionIds } = splitPromptCompletion(tokenizer, { prompt: "a b", completion: " c" });
    expect(promptIds).toEqual(tokenizer.encode("a b"));
    expect(completionIds.at(-1)).toBe(EOS);
    expect(splitPromptCompletion(tokenizer, { prompt: "a b", completion: " c<｜end▁of▁sentence｜>" })).toEqual({
      promptIds,
      completionIds,
    });
  });

  it("gives a merged boundary token to the completion", () => {
    const tokenizer = make();
    const whole = tokenizer.encode("a i");
    const { promptIds, completionIds } = splitPromptCompletion(tokenizer, { prompt: "a ", completion: "i" });
    expect([...promptIds, ...completionIds]).toEqual([...whole, EOS]);
    expect(promptIds).toEqual([BOS, 64]);
  });

  it("drops what only the generation prompt has", () => {
    const prompt = [{ role: "user", content: "Hi" }];
    const { promptIds } = splitPromptCompletion(make(), { prompt, completion: [{ role: "assistant", content: "Yo" }] });
    expect(promptIds).toEqual([491, 489, 39, 72, 490]);
  });

  it("refuses a row of two kinds", () => {
    expect(() => splitPromptCompletion(make(), { prompt: "a", completion: [] })).toThrow("prompt and completion differ in kind");
  });
});

describe("files", () => {
  it("gives back what it was made from", () => {
    const given = {
      tokenizerJson: text("tokenizer.json"),
      tokenizerConfig: new TextEncoder().encode(text("tokenizer_config.json")),
      chatTemplate: "x",
      generationConfig: "{}",
    };
    const files = Tokenizer.fromFiles(given).files();
    expect([...files.keys()]).toEqual(["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]);
    expect(files.get("tokenizer.json")).toBe(given.tokenizerJson);
    expect(files.get("tokenizer_config.json")).toBe(given.tokenizerConfig);
    expect(
      JSON.parse(
        make({ specialTokensMap: { bos_token: "a" } })
          .files()
          .get("special_tokens_map.json") as string,
      ),
    ).toEqual({ bos_token: "a" });
  });

  it.each([
    ["not JSON", { tokenizerJson: "{" }, "tokenizer.json is not valid JSON"],
    ["no object", { tokenizerJson: "[]" }, "tokenizer.json holds no JSON object; expected {…}, got an array"],
    ["no vocabulary", { tokenizerJson: { model: {} } }, "tokenizer.json has no vocabulary; expected model.vocab, got keys [model]"],
    [
      "bad added tokens",
      { tokenizerJson: { ...tokenizerJson, added_tokens: [{ id: "1" }] } },
      "added_tokens[0] of tokenizer.json is malformed; expected {id, content, …}",
    ],
    [
      "an unknown model",
      { tokenizerJson: { ...tokenizerJson, model: { type: "Other", vocab: {} } } },
      "model type Other of tokenizer.json is not supported",
    ],
    ["an unknown part", { tokenizerJson: { ...tokenizerJson, pre_tokenizer: { type: "Other" } } }, "tokenizer.json cannot be used"],
    ["a bad config", { tokenizerConfig: "null" }, "tokenizer_config.json holds no JSON object; expected {…}, got null"],
    ["a bad template", { tokenizerConfig: { chat_template: 3 } }, "chat_template of tokenizer_config.json is malformed"],
  ] satisfies [string, Partial<TokenizerFiles>, string][])("refuses %s", (_, files, message) => {
    let error: unknown;
    try {
      make(files);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TokenizerError);
    expect(isKtoError(error)).toBe(true);
    expect((error as TokenizerError).message).toContain(message);
    expect((error as TokenizerError).code).toBe("TOKENIZER");
  });
});
