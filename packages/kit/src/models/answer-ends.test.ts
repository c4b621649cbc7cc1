import { readFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { Tokenizer } from "@kto/tokenizer";
import { expect, it } from "vitest";
import { answerEnds } from "./answer-ends.js";

/** The tiny model's tokenizer with other settings. */
function tokenizerWith(config: Record<string, unknown>, generationConfig = {}): Tokenizer {
  const json = (name: string): Record<string, unknown> => JSON.parse(readFileSync(fixturePath("model", name), "utf8")) as Record<string, unknown>; // prettier-ignore
  const tokenizerConfig = { ...json("tokenizer_config.json"), ...config };
  return Tokenizer.fromFiles({ tokenizerJson: json("tokenizer.json"), tokenizerConfig, generationConfig });
}

it("EOS is where the template ends an answer, and generation_config.json may have more", () => {
  expect(answerEnds(tokenizerWith({}, { eos_token_id: [492, 488] }))).toEqual({
    stop: ["<|EOT|>", "<｜end▁of▁sentence｜>"],
    note: undefined,
  });
});

it("a template that ends answers with another token, or with a text, is told of", () => {
  const other = answerEnds(tokenizerWith({ eos_token: "<|EOT|>" }));
  expect(other.stop).toEqual(["<|EOT|>", "<｜end▁of▁sentence｜>"]);
  expect(other.note).toMatch(/^the chat template ends an answer with "<｜end▁of▁sentence｜>" and never with "<\|EOT\|>" \(eos_token/);
  const plain = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}";
  const text = answerEnds(tokenizerWith({ chat_template: plain }));
  expect(text.stop).toEqual(["<｜end▁of▁sentence｜>"]);
  expect(text.note).toContain(String.raw`ends an answer with "\nuser: " and never`);
});

it("without a template there is nothing to tell", () => {
  expect(answerEnds(tokenizerWith({ chat_template: undefined }))).toEqual({ stop: ["<｜end▁of▁sentence｜>"], note: undefined });
});
