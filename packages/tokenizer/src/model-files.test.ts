import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Tokenizer, type TemplateError, type TokenizerFiles } from "./index.js";

const fixtures = new URL("../../testing/fixtures/", import.meta.url);
const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, fixtures), "utf8"));

/** What transformers 5.24 makes of a model's files. */
interface Expected {
  /** It refuses them. */
  error?: string;
  /** Text and id of the special tokens. */
  tokens: Record<"bos" | "eos" | "pad" | "unk", [string | null, number | null]>;
  /** `special_tokens_map`, which templates see. */
  special: Record<string, string>;
  /** Ids of each sample, with and without special tokens around it. */
  encode: [number[], number[]][];
  /** Each sample back from the first of these without special tokens. */
  skipped: string[];
  /** A conversation without and with tools; the class of the error in a list where there is one. */
  render: [string | [string], string | [string]];
  max: number | null;
}

interface Variant {
  name: string;
  /** Files that replace those of the tiny model, or with null take them away; of `tokenizer.json` the keys. */
  files: Record<string, object | string | null>;
  /** With `config.json`, which makes it a `Qwen2Tokenizer`. */
  qwen2: Expected;
  /** As `TokenizersBackend`, which any other model gets; absent where the files ask for the other. */
  plain?: Expected;
}

const { samples, variants } = read("tokenizer/files.json") as { samples: string[]; variants: Variant[] };

const NAMES = {
  "tokenizer_config.json": "tokenizerConfig",
  "special_tokens_map.json": "specialTokensMap",
  "added_tokens.json": "addedTokens",
  "chat_template.jinja": "chatTemplate",
} as const;

function filesOf({ files }: Variant, withModelConfig: boolean): TokenizerFiles {
  const all: Record<string, unknown> = {
    tokenizerJson: { ...(read("model/tokenizer.json") as object), ...(files["tokenizer.json"] as object | undefined) },
    tokenizerConfig: read("model/tokenizer_config.json"),
    ...(withModelConfig && { modelConfig: read("model/config.json") }),
  };
  const templates: Record<string, string> = {};
  for (const [file, content] of Object.entries(files)) {
    const name = NAMES[file as keyof typeof NAMES] as string | undefined;
    const template = /^additional_chat_templates\/(.*)\.jinja$/.exec(file)?.[1];
    if (template !== undefined) templates[template] = content as string;
    else if (name !== undefined) all[name] = content ?? undefined;
  }
  return { ...all, ...(Object.keys(templates).length > 0 && { additionalChatTemplates: templates }) } as TokenizerFiles;
}

const messages = [{ role: "user", content: "Hi" }];

function rendered(tokenizer: Tokenizer, options: { tools?: object[] }): string | [string] {
  try {
    return tokenizer.applyChatTemplate(messages, { ...options, tokenize: false });
  } catch (error) {
    return [(error as TemplateError).errorType];
  }
}

/** Without a template transformers refuses; here one stands in, which its own tests hold. */
const standsIn = (tokenizer: Tokenizer): boolean => tokenizer.chatTemplates.size === 0;

function check(variant: Variant, expected: Expected, withModelConfig: boolean): void {
  const tokenizer = Tokenizer.fromFiles(filesOf(variant, withModelConfig));
  if (expected.error !== undefined) return; // a token that is an object without __type: read all the same
  const { bos, eos, pad, unk } = expected.tokens;
  expect([tokenizer.bosToken, tokenizer.bosTokenId]).toEqual(bos);
  expect([tokenizer.eosToken, tokenizer.eosTokenId]).toEqual(eos);
  expect([tokenizer.padToken, tokenizer.padTokenId]).toEqual(pad[0] === null ? eos : pad); // trl pads with EOS then
  expect([tokenizer.unkToken, tokenizer.unkTokenId]).toEqual(unk);
  expect(samples.map((text) => [tokenizer.encode(text), tokenizer.encode(text, { addSpecialTokens: false })])).toEqual(expected.encode);
  expect(samples.map((text) => tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true }))).toEqual(expected.skipped);
  expect(tokenizer.modelMaxLength ?? null).toBe(expected.max);
  const names = Object.keys(expected.special);
  const template = names.map((name) => `{{ ${name} }}`).join("|");
  expect(tokenizer.applyChatTemplate(messages, { chatTemplate: `x${template}`, tokenize: false })).toBe(
    `x${Object.values(expected.special).join("|")}`,
  );
  if (!standsIn(tokenizer)) expect([rendered(tokenizer, {}), rendered(tokenizer, { tools: [{}] })]).toEqual(expected.render);
}

describe("which file wins, as transformers 5.24", () => {
  it.each(variants.map((variant) => [variant.name, variant] as const))("%s", (_, variant) => {
    check(variant, variant.qwen2, true);
    if (variant.plain) check(variant, variant.plain, false);
  });

  it("holds at least 60 variants", () => {
    expect(variants.length).toBeGreaterThan(60);
  });
});
