import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import type { Device } from "@kto/tensor";
import type { Tokenizer } from "@kto/tokenizer";
import { loadTokenizer } from "@kto/tokenizer/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examine } from "./accuracy.js";
import { markedAnswers, type MarkedAnswer } from "./marked-answers.js";
import { loadModel } from "./model.js";
import { openDevice } from "./open-device.js";
import { modelFolder, trainFile } from "./paths.js";
import { pretrain } from "./pretraining.js";
import { runDemo } from "./run-demo.js";

const kind = process.env["KTO_DEVICE"] === "gpu" ? "gpu" : "software";
let device: Device;
let model: Qwen2ForCausalLM;
let tokenizer: Tokenizer;

beforeAll(async () => {
  device = await openDevice(kind);
  model = await loadModel(device);
  tokenizer = await loadTokenizer(modelFolder);
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

test("the model is right on 40 to 60 % of held-out sums", async () => {
  const { accuracy, answers } = await examine(model, tokenizer, { timesEach: 3, seed: 21 });
  expect(answers.length).toBeGreaterThanOrEqual(300);
  expect(accuracy).toBeGreaterThan(0.4);
  expect(accuracy).toBeLessThan(0.6);
});

test("the data is what the script makes", async () => {
  const lines = (await readFile(trainFile, "utf8")).split("\n");
  for (const first of [0, 1000, 2016]) {
    const made = await markedAnswers(model, tokenizer, "train", first, first + 32);
    const committed = lines.slice(first, first + 32).map((line) => JSON.parse(line) as MarkedAnswer);
    // Another device or processor rounds otherwise, so that a draw on the border between two tokens may fall on the other side.
    const numEqual = made.filter((row, index) => JSON.stringify(row) === JSON.stringify(committed[index])).length;
    expect(numEqual).toBeGreaterThanOrEqual(30);
  }
});

test("pretraining: the loss falls, and the same seed gives the same model", async () => {
  const run = async (): Promise<number[]> => {
    const losses: number[] = [];
    const trained = await pretrain(device, tokenizer, {
      numSteps: 12,
      batchSize: 32,
      learningRate: 3e-3,
      seed: 4,
      onStep: (_, loss) => losses.push(loss),
    });
    trained.dispose();
    return losses;
  };
  const losses = await run();
  expect(losses[11]).toBeLessThan(losses[0]! - 0.5);
  expect(await run()).toEqual(losses);
});

test("a short demo: better answers, rising rewards, every file", async () => {
  const outputDir = await mkdtemp(join(tmpdir(), "kto-quickstart-"));
  try {
    let said = "";
    const sink = { write: (text: string) => (said += text) };
    const result = await runDemo({ device: kind, io: { stdout: sink, stderr: sink, env: { NO_COLOR: "1" } }, outputDir, maxSteps: 32 });
    expect(result.status, said).toBe(0);
    expect(result.after!.accuracy).toBeGreaterThan(result.before.accuracy + 0.15);
    const metrics = (await readFile(join(outputDir, "metrics.jsonl"), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, number>);
    expect(metrics.at(-1)!["rewards/margins"]).toBeGreaterThan(metrics[0]!["rewards/margins"]! + 0.5);
    expect(await readdir(outputDir)).toEqual(
      expect.arrayContaining([
        "adapter_model.safetensors",
        "adapter_config.json",
        "tokenizer.json",
        "trainer_state.json",
        "train_results.json",
      ]),
    );
    expect(said).toMatch(/before +\d+\.\d % right[\s\S]*after +\d+\.\d % right/);
  } finally {
    await rm(outputDir, { recursive: true, force: true });
  }
});
