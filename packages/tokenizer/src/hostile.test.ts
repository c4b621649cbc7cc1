import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { Tokenizer, type TokenizerFiles } from "./index.js";
import { repeatsAmbiguously } from "./patterns.js";
import { tokenizerReader } from "./testing/fuzz-tokenizer.js";

const seeds = (await tokenizerReader.seeds()).map((seed) => JSON.parse(new TextDecoder().decode(seed)) as TokenizerFiles);
const [good, unigram, wordPiece, ...others] = seeds as [TokenizerFiles, TokenizerFiles, TokenizerFiles, ...TokenizerFiles[]];
const broken = others.slice(0, -20); // behind them the good ones again
const parts = good.tokenizerJson as Record<string, unknown>;

function failure(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected an error");
}

it("reads the models that the mutants are made from", () => {
  for (const files of [good, unigram, wordPiece]) {
    const tokenizer = Tokenizer.fromFiles(files);
    expect(tokenizer.encode("a b").length).toBeGreaterThan(0);
  }
});

describe("files that mean harm are a TokenizerError where they are read", () => {
  it.each(
    broken.map(
      (files, index) =>
        [
          `${index} ${JSON.stringify(Object.entries(files).find(([name, file]) => file !== good[name as keyof TokenizerFiles])).slice(-120)}`,
          files,
        ] as const,
    ),
  )("%s", (_, files) => {
    const error = failure(() => Tokenizer.fromFiles(files));
    expect(isKtoError(error)).toBe(true);
    expect(error).toMatchObject({ code: "TOKENIZER", file: expect.stringMatching(/json$/) as string });
  });

  it.each([
    ["a template that is no UTF-8", { chatTemplate: new Uint8Array([0xff, 0xfe]) }, "chat_template.jinja is no UTF-8 text"],
    ["a config that is no UTF-8", { tokenizerConfig: new Uint8Array([0x7b, 0xff]) }, "tokenizer_config.json is no UTF-8 text"],
    [
      "a template in the folder that is a number",
      { additionalChatTemplates: { rag: 5 as never } },
      "additional_chat_templates/rag.jinja is malformed",
    ],
    [
      "ids of EOS as text",
      { generationConfig: { eos_token_id: "9" } },
      'eos_token_id of generation_config.json is malformed; expected an id or a list of ids, got "9"',
    ],
    [
      "an id as a key",
      { tokenizerConfig: { added_tokens_decoder: { x: { content: "a" } } } },
      "added_tokens_decoder of tokenizer_config.json is malformed",
    ],
    [
      "a long added token",
      { tokenizerConfig: { added_tokens_decoder: { "9": { content: "a".repeat(2000) } } } },
      "at most 1024 letters, got 2000",
    ],
    ["a flag as text", { tokenizerConfig: { added_tokens_decoder: { "9": { content: "a", lstrip: "yes" } } } }, "expected true or false"],
    ["an id of added_tokens.json as text", { tokenizerConfig: {}, addedTokens: { "<x>": "9" } }, '"<x>" of added_tokens.json is malformed'],
    ["deep JSON", { tokenizerConfig: `{"a":${"[".repeat(100_000)}` }, "not valid JSON"],
    [
      "a deep value",
      { tokenizerConfig: `{"bos_token":${"[".repeat(5000)}${"]".repeat(5000)}}` },
      "bos_token of tokenizer_config.json is malformed",
    ],
    ["parts without end", { tokenizerJson: { ...parts, normalizer: nestedSequence(40) } }, "expected at most 16 levels"],
  ] satisfies [string, Partial<TokenizerFiles>, string][])("%s", (_, files, message) => {
    const error = failure(() => Tokenizer.fromFiles({ ...good, ...files }));
    expect(error).toMatchObject({ code: "TOKENIZER" });
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(600);
  });
});

function nestedSequence(depth: number): object {
  return depth === 0 ? { type: "NFC" } : { type: "Sequence", normalizers: [nestedSequence(depth - 1)] };
}

describe("what is given to a tokenizer", () => {
  const tokenizer = Tokenizer.fromFiles(good);

  it("is text, and ids are whole numbers", () => {
    expect(failure(() => tokenizer.encode(5 as never))).toMatchObject({
      code: "TOKENIZER",
      message: "Tokenizer.encode: expected a text, got 5; give a string",
    });
    expect(failure(() => tokenizer.decode([0.5]))).toMatchObject({
      code: "TOKENIZER",
      message: "Tokenizer.decode: expected ids, got 0.5; give whole numbers",
    });
  });

  it("a normalizer makes it no more than 24 times as long", () => {
    const growing = {
      type: "Sequence",
      normalizers: Array.from({ length: 9 }, () => ({ type: "Replace", pattern: { String: "a" }, content: "aa" })),
    };
    const bomb = Tokenizer.fromFiles({ ...good, tokenizerJson: { ...parts, normalizer: growing } });
    expect(bomb.encode("a").length).toBeGreaterThan(0); // 512 letters: a short text may
    expect(failure(() => bomb.encode("a".repeat(1000)))).toMatchObject({ code: "TOKENIZER", file: "tokenizer.json" });
  });

  it("a token that the vocabulary has not, and no unknown one, is said", () => {
    const files = {
      tokenizerJson: {
        model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", vocab: { a: 0 } },
        pre_tokenizer: { type: "Whitespace" },
      },
    };
    expect(failure(() => Tokenizer.fromFiles(files).encode("b"))).toMatchObject({ code: "TOKENIZER" });
  });
});

describe("expressions that can take for ever", () => {
  it.each(["(a+)+$", "(a*)*", "(a|ab)+", "((a+)b)*", "(?:\\s*\\w)+x", "(a{2,})+", "(.*)*"])("%s", (source) => {
    expect(repeatsAmbiguously(source)).toBe(true);
  });

  it.each([
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}]*[\\p{Ll}\\p{Lm}]+(?i:'s|'t)?|\\p{N}{1,3}",
    " ?[^(\\s|[.,!?…。，、।۔،])]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+",
    "(\\d{3})+",
    " {2,}",
    "(a+)?",
    "(?:a|b){1,3}",
  ])("but not %s", (source) => {
    expect(repeatsAmbiguously(source)).toBe(false);
  });
});
