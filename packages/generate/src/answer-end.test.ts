import { describe, expect, it } from "vitest";
import { answerEnd } from "./answer-end.js";
import type { GenerationTokenizer } from "./generation.js";
import type { GenerationDefaults } from "./sampling-options.js";

const tokenizer: GenerationTokenizer = {
  encode: () => [],
  decode: () => "",
  applyChatTemplate: () => [],
  eosTokenIds: [7, 8],
};
const named: GenerationTokenizer = { ...tokenizer, stopTokenIds: [9], stopStrings: ["<|im_end|>"] };

describe("an answer ends at", () => {
  it("the ids that are asked for, then those of the model's config, then the tokenizer's", () => {
    expect(answerEnd({ eosTokenId: 1 }, { eos_token_id: [2, 3] }, tokenizer).eosTokenIds).toEqual([1]);
    expect(answerEnd({ eosTokenId: [] }, { eos_token_id: 2 }, tokenizer).eosTokenIds).toEqual([]);
    expect(answerEnd({}, { eos_token_id: [2, 3] }, tokenizer).eosTokenIds).toEqual([2, 3]);
    expect(answerEnd({}, { eos_token_id: 2 }, tokenizer).eosTokenIds).toEqual([2]);
    expect(answerEnd({}, { eos_token_id: null }, tokenizer).eosTokenIds).toEqual([7, 8]);
    expect(answerEnd({}, {}, tokenizer).eosTokenIds).toEqual([7, 8]);
    expect(answerEnd({}, {}, undefined)).toEqual({ eosTokenIds: [], stops: [] });
  });

  it("the ends of a template that the tokenizer was given besides, unless others are asked for", () => {
    expect(answerEnd({ stop: "." }, { eos_token_id: [2, 9] }, named)).toEqual({ eosTokenIds: [2, 9], stops: [".", "<|im_end|>"] });
    expect(answerEnd({}, {}, named).eosTokenIds).toEqual([7, 8, 9]);
    expect(answerEnd({ eosTokenId: [], stop: ["."] }, {}, named)).toEqual({ eosTokenIds: [], stops: ["."] });
  });

  it.each<[string, Parameters<typeof answerEnd>[0], GenerationDefaults, string]>([
    ["no id", { eosTokenId: -1 }, {}, "generate: eosTokenId is not usable; expected the id of a token, or several, got -1"],
    [
      "no number",
      { eosTokenId: ["a"] as never },
      {},
      'generate: eosTokenId is not usable; expected the id of a token, or several, got ["a"]',
    ],
    ["no id in the config", {}, { eos_token_id: 1.5 }, "generate: eos_token_id of generation_config.json is not usable"],
    ["an empty text", { stop: "" }, {}, "generate: stop holds an empty text; expected texts of at least one letter"],
    ["no text", { stop: [1] as never }, {}, "generate: stop holds an empty text"],
  ])("%s: refused", (_name, options, defaults, message) => {
    expect(() => answerEnd(options, defaults, tokenizer)).toThrow(message);
  });
});
