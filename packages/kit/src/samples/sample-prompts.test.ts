import { Dataset, type DataRow } from "@kto/datasets";
import { fixturePath } from "@kto/testing/workspace";
import type { Tokenizer } from "@kto/tokenizer";
import { loadTokenizer } from "@kto/tokenizer/node";
import { beforeAll, expect, it } from "vitest";
import { samplePrompts, type SamplePromptOptions } from "./sample-prompts.js";

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(fixturePath("model"));
});
const promptsOf = (rows: DataRow[], more: Partial<SamplePromptOptions> = {}): ReturnType<typeof samplePrompts> =>
  samplePrompts(Dataset.from(rows), { tokenizer, numPrompts: 4, maxPromptTokens: 100, ...more });

const user = { role: "user", content: "2 + 2?" };
const answer = { role: "assistant", content: "4" };
const asked = (messages: object[]): number[] =>
  tokenizer.applyChatTemplate(messages as { role: string }[], { addGenerationPrompt: true, tokenize: true });

it.each<[what: string, row: DataRow, prompt: unknown, ids: () => number[], textField?: string]>([
  ["a text", { prompt: "2 + 2 =", completion: "4", label: true }, "2 + 2 =", () => tokenizer.encode("2 + 2 =")],
  ["a conversation", { prompt: [user], completion: [answer], label: true }, [user], () => asked([user])],
  ["a pair", { prompt: [user], chosen: [answer], rejected: [{ ...answer, content: "5" }] }, [user], () => asked([user])],
  [
    "what both of a pair begin with",
    { chosen: [user, answer], rejected: [user, { ...answer, content: "5" }] },
    [user],
    () => asked([user]),
  ],
  ["messages with a label", { messages: [user, answer], label: true }, [user], () => asked([user])],
  ["a whole conversation", { messages: [user, answer, user, answer] }, [user, answer, user], () => asked([user, answer, user]), "text"],
  ["an instruction", { instruction: "2 + 2?", output: "4" }, [user], () => asked([user]), "text"],
])("the prompt of %s", (_, row, prompt, ids, textField) => {
  const { prompts, passedOver } = promptsOf([row], { textField });
  expect(passedOver).toEqual([]);
  expect(prompts).toEqual([{ row: 0, prompt, ids: ids() }]);
});

it("ids are told as text", () => {
  const ids = tokenizer.encode("abc", { addSpecialTokens: false });
  expect(promptsOf([{ prompt_ids: ids, completion_ids: [5], label: true }]).prompts).toEqual([{ row: 0, prompt: "abc", ids }]);
});

it("are those of the first rows, each once; one without room is passed over, and why is told", () => {
  const row = (prompt: string): DataRow => ({ prompt, completion: "x", label: true });
  const rows = [row("a"), row("a"), row("b ".repeat(80)), row("c"), row("d"), row("e")];
  const { prompts, passedOver } = promptsOf(rows, { numPrompts: 3, maxPromptTokens: 20 });
  expect(prompts.map(({ row: at, prompt }) => [at, prompt])).toEqual([
    [0, "a"],
    [3, "c"],
    [4, "d"],
  ]);
  expect(passedOver).toEqual([{ row: 2, why: expect.stringMatching(/no room for an answer: \d+ of at most 20 tokens/) as string }]);
});

it.each<[rows: DataRow, textField: string | undefined, why: RegExp]>([
  [{ text: "once upon a time" }, "text", /one text, without a prompt/],
  [{ messages: [user] }, "text", /no answer/],
  [{ prompt: [], completion: [answer], label: true }, undefined, /the prompt is a conversation without a message/],
])("%j has none", (row, textField, why) => {
  const { prompts, passedOver } = promptsOf([row], { textField });
  expect(prompts).toEqual([]);
  expect(passedOver).toEqual([{ row: 0, why: expect.stringMatching(why) as string }]);
});

it("data without any is not read to its end", () => {
  expect(
    promptsOf(
      Array.from({ length: 1000 }, () => ({ text: "x" })),
      { textField: "text", numPrompts: 2 },
    ).passedOver,
  ).toHaveLength(100);
});
