import { readFileSync } from "node:fs";
import { namedChatTemplate } from "@kto/chat-templates";
import { describe, expect, it } from "vitest";
import { getChatTemplate, type MessageMapping, splitPromptCompletion, Tokenizer, type TokenizerFiles } from "./index.js";

const model = new URL("../../testing/fixtures/model/", import.meta.url);
const json = (name: string): Record<string, unknown> => JSON.parse(readFileSync(new URL(name, model), "utf8")) as Record<string, unknown>;
const files: TokenizerFiles = { tokenizerJson: json("tokenizer.json"), tokenizerConfig: json("tokenizer_config.json") };
const tokenizer = Tokenizer.fromFiles(files);
const EOS = tokenizer.eosTokenId!;
const BOS = tokenizer.bosTokenId!;

/** The fixture's tokenizer with one more token. */
function withToken(content: string, special: boolean): Tokenizer {
  const given = files.tokenizerJson as { added_tokens: object[] };
  const token = { id: 600, content, special, single_word: false, lstrip: false, rstrip: false, normalized: false };
  return Tokenizer.fromFiles({ ...files, tokenizerJson: { ...given, added_tokens: [...given.added_tokens, token] } });
}

const shareGpt: MessageMapping = { role: "from", content: "value", user: "human", assistant: "gpt" };
const asked = [{ role: "user", content: "Hi" }];
const written = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";

describe("getChatTemplate", () => {
  it("says so where a model has no tokenizer", () => {
    expect(() => getChatTemplate(undefined, "chatml")).toThrow(/^getChatTemplate: there is no tokenizer; .*put tokenizer\.json beside/);
  });

  it("gives a tokenizer of the same kind with the template, and leaves the one it was given", () => {
    const before = tokenizer.chatTemplate;
    const chatml = getChatTemplate(tokenizer, "chatml");
    expect(chatml).toBeInstanceOf(Tokenizer);
    const text = chatml.applyChatTemplate(asked, { tokenize: false, addGenerationPrompt: true });
    expect(text).toBe(written);
    const ids = chatml.applyChatTemplate(asked, { addGenerationPrompt: true });
    expect(ids).toEqual(tokenizer.encode(written, { addSpecialTokens: false }));
    expect(chatml.decode(ids)).toBe(written);
    expect(chatml.vocabSize).toBe(tokenizer.vocabSize);
    expect([tokenizer.chatTemplate, tokenizer.eosTokenIds, tokenizer.stopStrings]).toEqual([before, [EOS], []]);
  });

  it("has BOS once: the template writes it, and nothing is added", () => {
    const ids = getChatTemplate(tokenizer, "llama-3").applyChatTemplate(asked, { addGenerationPrompt: true });
    expect(ids.filter((id) => id === BOS)).toHaveLength(1);
    expect(ids[0]).toBe(BOS);
    expect(tokenizer.encode("Hi")[0]).toBe(BOS); // which a text gets from the tokenizer
    expect(getChatTemplate(tokenizer, "chatml").applyChatTemplate(asked)).not.toContain(BOS);
  });

  it("takes the place of every template of the model, in files that are saved too", () => {
    const several = Tokenizer.fromFiles({ ...files, chatTemplate: "model's", additionalChatTemplates: { tool_use: "tools" } });
    const named = getChatTemplate(several, "qwen-2.5");
    const { template } = named.renderChat(asked, { tools: [] });
    expect(template).toEqual({ text: namedChatTemplate("qwen-2.5").template, source: "model", name: "default", others: [] });
    expect([...named.files().keys()].filter((name) => name.endsWith(".jinja"))).toEqual(["chat_template.jinja"]);
    const saved = Object.fromEntries(named.files());
    const opened = Tokenizer.fromFiles({
      tokenizerJson: saved["tokenizer.json"]!,
      tokenizerConfig: saved["tokenizer_config.json"]!,
      chatTemplate: saved["chat_template.jinja"]!,
    });
    expect(opened.applyChatTemplate(asked)).toEqual(named.applyChatTemplate(asked));
  });

  it("splits prompt and completion as it renders them", () => {
    const { promptIds, completionIds } = splitPromptCompletion(getChatTemplate(tokenizer, "zephyr"), {
      prompt: asked,
      completion: [{ role: "assistant", content: "Yo" }],
    });
    expect(tokenizer.decode(promptIds)).toBe(`<|user|>\nHi${tokenizer.eosToken}\n<|assistant|>\n`);
    expect(tokenizer.decode(completionIds)).toBe(`Yo${tokenizer.eosToken}\n`);
  });

  it("refuses a name that is not known", () => {
    expect(() => getChatTemplate(tokenizer, "chatlm")).toThrow(
      /^getChatTemplate: there is no chat template of that name; .* did you mean chatml\?$/,
    );
  });
});

describe("the end of an answer", () => {
  it("is the stop token and the model's own EOS, where the vocabulary has the token", () => {
    const llama = getChatTemplate(withToken("<|eot_id|>", true), "llama-3");
    expect([llama.stopTokenIds, llama.stopStrings, llama.eosTokenIds]).toEqual([[600], [], [600, EOS]]);
    const generationConfig = { eos_token_id: [497, EOS] };
    const deepseek = getChatTemplate(Tokenizer.fromFiles({ ...files, generationConfig }), "deepseek-r1");
    expect([deepseek.stopTokenIds, deepseek.eosTokenIds]).toEqual([[EOS], [EOS, 497]]);
  });

  it("is told by its text where it is no token, and taken out of the text where it is no special one", () => {
    const llama = getChatTemplate(tokenizer, "llama-3");
    expect([llama.stopTokenIds, llama.stopStrings, llama.eosTokenIds]).toEqual([[], ["<|eot_id|>"], [EOS]]);
    const shown = getChatTemplate(withToken("<|eot_id|>", false), "llama-3");
    expect([shown.stopTokenIds, shown.stopStrings]).toEqual([[600], ["<|eot_id|>"]]);
  });

  it("is that of the last template", () => {
    const zephyr = getChatTemplate(getChatTemplate(tokenizer, "chatml"), "zephyr");
    expect([zephyr.stopTokenIds, zephyr.eosTokenIds]).toEqual([[], [EOS]]);
  });
});

describe("a mapping", () => {
  const mapped = getChatTemplate(tokenizer, "chatml", { mapping: shareGpt });
  const render = (messages: readonly Record<string, unknown>[]): string => mapped.applyChatTemplate(messages, { tokenize: false });

  it("reads the layout of ShareGPT", () => {
    const conversation = [
      { from: "system", value: "S" },
      { from: "human", value: "Hi", weight: 1 },
      { from: "gpt", value: "Yo" },
    ];
    expect(render(conversation)).toBe(
      "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n",
    );
    expect(conversation[1]).toEqual({ from: "human", value: "Hi", weight: 1 });
  });

  it("leaves messages of role and content, and roles that it has no name for", () => {
    expect(render(asked)).toBe("<|im_start|>user\nHi<|im_end|>\n");
    expect(render([{ from: "tool", value: "3" }])).toBe("<|im_start|>tool\n3<|im_end|>\n");
  });

  it("maps the names of roles alone, and the system's", () => {
    const mapping = { role: "role", content: "content", user: "human", assistant: "bot", system: "rules" };
    const given = getChatTemplate(tokenizer, "zephyr", { mapping });
    const messages = [
      { role: "rules", content: "S" },
      { role: "human", content: "Hi" },
      { role: "bot", content: "Yo" },
    ];
    const end = tokenizer.eosToken;
    expect(given.applyChatTemplate(messages, { tokenize: false })).toBe(
      `<|system|>\nS${end}\n<|user|>\nHi${end}\n<|assistant|>\nYo${end}\n`,
    );
  });

  it.each([
    [{ text: "Hi" }, 'message 1 has no "from"; expected messages with from and value, or with role and content, got {"text":"Hi"}'],
    [{ from: "human" }, 'message 1 has no "value"'],
    ["Hi", "Chat messages should be dicts"],
    [null, "Chat messages should be dicts"],
  ])("refuses %j", (message, reason) => {
    expect(() => render([message as Record<string, unknown>])).toThrow(reason);
  });

  it("refuses what is no conversation", () => {
    expect(() => render([])).toThrow("empty conversation");
    expect(() => render({} as never)).toThrow("Chat messages should be a list");
  });

  it.each<[string, unknown, string]>([
    [
      "a missing name",
      { role: "from", content: "value", user: "human" },
      "does not say what assistant is called; expected a text of at least one letter, got undefined",
    ],
    ["a name that is empty", { ...shareGpt, user: "" }, 'does not say what user is called; expected a text of at least one letter, got ""'],
    ["one field for two", { ...shareGpt, content: "from" }, 'calls role and content the same; expected two fields, got "from"'],
    [
      "one name for two roles",
      { ...shareGpt, assistant: "human" },
      'calls user and assistant the same; expected a name for each, got "human"',
    ],
    ["the system's name for a role", { ...shareGpt, user: "system" }, "calls user and system the same"],
    [
      "an unknown name",
      { ...shareGpt, asistant: "gpt" },
      'has a name that it cannot have; expected role, content, user, assistant, system, got "asistant"; did you mean assistant?',
    ],
    ["no object", "sharegpt", 'is no object; expected { role: "from", content: "value", user: "human", assistant: "gpt" }, got "sharegpt"'],
    ["nothing", null, "is no object"],
  ])("with %s is an error", (_name, mapping, reason) => {
    expect(() => getChatTemplate(tokenizer, "chatml", { mapping: mapping as MessageMapping })).toThrow(
      `withChatTemplate: the mapping ${reason}`,
    );
  });
});

it("withChatTemplate takes a template of one's own, and refuses what is none", () => {
  const own = tokenizer.withChatTemplate("{% for m in messages %}{{ m.content }}|{% endfor %}", { stop: ["|"] });
  expect(own.applyChatTemplate(asked, { tokenize: false })).toBe("Hi|");
  expect(own.stopTokenIds).toEqual([tokenizer.tokenToId("|")]);
  expect(own.stopStrings).toEqual(["|"]);
  expect(() => tokenizer.withChatTemplate("{% for %}")).toThrow("checkChatTemplate");
});
