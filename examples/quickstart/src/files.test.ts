import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeQwen2Config } from "@kto/qwen2";
import { loadTokenizer } from "@kto/tokenizer/node";
import { expect, test } from "vitest";
import { numTrainRows, type MarkedAnswer } from "./marked-answers.js";
import { modelFolder, testFile, trainFile } from "./paths.js";
import { tinyConfig } from "./pretraining.js";
import { isRight, numberLimit, questionText, testSums, trainSums } from "./sums.js";
import { json, tokenizerFiles, vocabulary } from "./tokenizer-files.js";

async function rowsOf(file: string): Promise<MarkedAnswer[]> {
  return (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as MarkedAnswer);
}

test("the tokenizer's files are what the script writes", async () => {
  for (const [name, content] of tokenizerFiles()) expect(await readFile(join(modelFolder, name), "utf8"), name).toBe(content);
});

test("config.json is what the script writes", async () => {
  expect(await readFile(join(modelFolder, "config.json"), "utf8")).toBe(json(writeQwen2Config(tinyConfig)));
});

test("a question and its answer become ids and text again", async () => {
  const tokenizer = await loadTokenizer(modelFolder);
  const messages = [
    { role: "user", content: "12+7=" },
    { role: "assistant", content: "19" },
  ];
  const text = "<|user|>12+7=<|end|><|assistant|>19<|end|>";
  expect(tokenizer.applyChatTemplate(messages, { tokenize: false })).toBe(text);
  const ids = tokenizer.applyChatTemplate(messages);
  expect(ids.map((id) => vocabulary[id])).toEqual(["<|user|>", "1", "2", "+", "7", "=", "<|end|>", "<|assistant|>", "1", "9", "<|end|>"]);
  expect(tokenizer.decode(ids)).toBe(text);
  expect(tokenizer.eosTokenIds).toEqual([vocabulary.indexOf("<|end|>")]);
});

test("the checkpoint is small", async () => {
  expect((await stat(join(modelFolder, "model.safetensors"))).size).toBeLessThan(2e6);
});

test.each([
  ["train", trainFile, numTrainRows, trainSums],
  ["test", testFile, testSums.length, testSums],
] as const)("%s data: marks are true, questions are of its split", async (_, file, numRows, sums) => {
  const questions = new Map(sums.map((sum) => [questionText(sum), sum]));
  const rows = await rowsOf(file);
  expect(rows).toHaveLength(numRows);
  for (const { prompt, completion, label } of rows) {
    const sum = questions.get(prompt[0]!.content as string);
    expect(sum, String(prompt[0]!.content)).toBeDefined();
    expect(label).toBe(isRight(sum!, completion[0]!.content as string));
  }
  const share = rows.filter(({ label }) => label).length / rows.length;
  expect(share).toBeGreaterThan(0.4);
  expect(share).toBeLessThan(0.6);
});

test("held-out sums are not trained on, and together they are all", () => {
  const texts = new Set([...trainSums, ...testSums].map(questionText));
  expect(texts.size).toBe(numberLimit ** 2);
  expect(trainSums.length + testSums.length).toBe(numberLimit ** 2);
});
