import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, openDevice, type LoadedModel } from "@kto/kit";
import type { Device } from "@kto/tensor";
import type { Tokenizer } from "@kto/tokenizer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examine } from "./accuracy.js";
import { readArguments } from "./arguments.js";
import { markedAnswers, type MarkedAnswer } from "./marked-answers.js";
import { modelFolder, trainFile } from "./paths.js";
import { pretrain } from "./pretraining.js";
import { runDemo } from "./run-demo.js";

const kind = process.env["KTO_DEVICE"] === "gpu" ? "gpu" : "software";
let device: Device;
let model: LoadedModel;
let tokenizer: Tokenizer;

beforeAll(async () => {
  device = await openDevice({ device: kind });
  model = await loadModel(modelFolder, { device, dtype: "f32" });
  tokenizer = model.tokenizer!;
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

test("the model is right on 40 to 60 % of held-out sums", async () => {
  const { accuracy, answers } = await examine(model, { timesEach: 3, seed: 21 });
  expect(answers.length).toBeGreaterThanOrEqual(300);
  expect(accuracy).toBeGreaterThan(0.4);
  expect(accuracy).toBeLessThan(0.6);
});

test("the data is what the script makes", async () => {
  const lines = (await readFile(trainFile, "utf8")).split("\n");
  for (const first of [0, 1000, 2016]) {
    const made = await markedAnswers(model, "train", first, first + 32);
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

test("an interrupted demo says how to go on, and ends on the same bits", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kto-quickstart-"));
  const flags = (name: string): string[] => [
    "--device",
    kind,
    "--max_steps",
    "4",
    "--logging_steps",
    "1",
    "--output_dir",
    join(folder, name),
  ];
  const adapterOf = (name: string): Promise<Buffer> => readFile(join(folder, name, "adapter_model.safetensors"));
  const demo = async (argv: readonly string[], stopAt?: RegExp): Promise<{ status: number; said: string }> => {
    let said = "";
    const interrupt = new AbortController();
    const write = (text: string): void => {
      said += text;
      if (stopAt?.test(said)) interrupt.abort();
    };
    const io = { stdout: { write }, stderr: { write }, env: { NO_COLOR: "1" }, signal: interrupt.signal };
    const { status } = await runDemo({ args: readArguments(argv), io });
    return { status, said };
  };
  try {
    const measuring = await demo(flags("stopped"), /^measuring/m);
    expect(measuring.status).toBe(130);
    expect(measuring.said).toMatch(/^measuring: .*\ndemo: interrupted while measuring; nothing was written\n$/);

    const { status, said } = await demo(flags("stopped"), /^ +2 /m);
    expect(status, said).toBe(130);
    const advice = /go on with npm run demo -- (.*)\n$/.exec(said)![1]!.split(" ");
    expect(advice).toEqual([...flags("stopped"), "--resume_from_checkpoint", join(folder, "stopped", "checkpoint-2")]);
    expect((await demo(advice)).status).toBe(0);
    expect((await demo(flags("whole"))).status).toBe(0);
    expect((await adapterOf("stopped")).equals(await adapterOf("whole"))).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.each([
  ["--bta", "1"],
  ["--device", "foo"],
  ["--max_steps", "many"],
])("%s %s ends in one line before anything is measured", async (...flags) => {
  const said = { stdout: "", stderr: "" };
  const io = {
    stdout: { write: (text: string) => (said.stdout += text) },
    stderr: { write: (text: string) => (said.stderr += text) },
    env: {},
  };
  expect(await runDemo({ args: readArguments(flags), io })).toEqual({ status: 2 });
  expect(said.stdout).toBe("");
  expect(said.stderr).toMatch(new RegExp(`^kto: error\\[CONFIG\\]: .*${flags[0].slice(2)}.*\\n$`));
});

test("a short demo: better answers, rising rewards, every file", async () => {
  const outputDir = await mkdtemp(join(tmpdir(), "kto-quickstart-"));
  try {
    let said = "";
    const sink = { write: (text: string) => (said += text) };
    const args = readArguments(["--device", kind, "--output_dir", outputDir, "--max_steps", "32"]);
    const result = await runDemo({ args, io: { stdout: sink, stderr: sink, env: { NO_COLOR: "1" } } });
    expect(result.status, said).toBe(0);
    expect(result.after!.accuracy).toBeGreaterThan(result.before!.accuracy + 0.15);
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
