import { Dataset } from "@kto/datasets";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KTOTrainer, type KTOConfig, type Tracker, type TrackedRun, type TokenScores } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

const args: Partial<KTOConfig> = {
  perDeviceTrainBatchSize: 4,
  maxSteps: 2,
  learningRate: 1e-2,
  loggingSteps: 1,
  evalStrategy: "steps",
  evalSteps: 2,
};

let device: Device;
let base: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});

const trainerOf = (trackers: readonly Tracker[], given: Partial<KTOConfig> = {}): KTOTrainer =>
  new KTOTrainer({
    model: base,
    peftConfig: { r: 4, loraAlpha: 8, targetModules: "all-linear" },
    trainDataset: Dataset.from(tinyRows(8)),
    evalDataset: Dataset.from(tinyRows(4)),
    args: { ...args, ...given },
    trackers,
  });

/** Notes what it is told. */
function noting(): Tracker & { calls: unknown[][] } {
  const calls: unknown[][] = [];
  return {
    calls,
    start: (run) => void calls.push(["start", run.method, run.startStep]),
    log: (step, metrics) => void calls.push(["log", step, metrics]),
    end: (result) => void calls.push(["end", result?.globalStep]),
  };
}

test("a tracker is told of the start, of every log and evaluation, and of the end", async () => {
  const tracker = noting();
  using trainer = trainerOf([tracker]);
  await trainer.train();
  expect(tracker.calls.map(([call, step]) => [call, step])).toEqual([
    ["start", "kto"],
    ["log", 1],
    ["log", 2],
    ["log", 2],
    ["end", 2],
  ]);
  const [, first, second, evaluated] = tracker.calls.map(([, , metrics]) => metrics as Record<string, number>);
  const { logHistory } = trainer.progress;
  for (const [metrics, index] of [
    [first!, 0],
    [second!, 1],
  ] as const)
    expect({ ...metrics, step: index + 1 }).toMatchObject(logHistory[index]!);
  expect(first!["tokens_per_second"]).toBeGreaterThan(0);
  expect({ ...evaluated, step: 2 }).toEqual(logHistory[2]);
  expect(evaluated!["eval_loss"]).toBeGreaterThan(0);
});

test("it scores tokens as they are before the run and after it, and changes nothing by that", async () => {
  const plain = trainerOf([]);
  await plain.train();
  const adapter = await plain.model.readAdapter();
  plain.dispose();
  const rows = [{ promptIds: [3, 4], completionIds: [5, 6, 7] }];
  const scores: TokenScores[] = [];
  let told: TrackedRun;
  const scoring: Tracker = {
    start: async (run) => void scores.push(await (told = run).scoreTokens(rows)),
    log: () => undefined,
    end: async () => void scores.push(await told.scoreTokens(rows)),
  };
  using trainer = trainerOf([scoring]);
  await trainer.train();
  const [before, after] = scores;
  expect(before!.policy[0]).toHaveLength(3);
  expect(before!.policy).toEqual(before!.reference); // a fresh adapter computes what the base computes
  expect(after!.reference).toEqual(before!.reference);
  expect(after!.policy).not.toEqual(before!.policy);
  expect(await trainer.model.readAdapter()).toEqual(adapter);
});

test("one that fails ends the run, and all that began are ended", async () => {
  const tracker = noting();
  const failing: Tracker = {
    start: () => undefined,
    log: () => Promise.reject(new Error("the disk is full")),
    end: () => Promise.reject(new Error("too late")),
  };
  using trainer = trainerOf([failing, tracker]);
  await expect(trainer.train()).rejects.toThrow("the disk is full");
  expect(tracker.calls).toEqual([
    ["start", "kto", 0],
    ["end", undefined],
  ]);
});

test("an interrupted run ends without a result, and so does one whose logs are left", async () => {
  const [interrupted, left] = [noting(), noting()];
  const controller = new AbortController();
  using trainer = trainerOf([interrupted]);
  const run = trainer.train({ signal: controller.signal });
  await run.next();
  controller.abort(new Error("Ctrl-C"));
  await expect(run.next()).rejects.toThrow("Ctrl-C");
  expect(interrupted.calls.at(-1)).toEqual(["end", undefined]);
  trainer.dispose();
  using other = trainerOf([left]);
  for await (const _ of other.train()) break;
  expect(left.calls.map(([call, step]) => [call, step])).toEqual([
    ["start", "kto"],
    ["log", 1],
    ["end", undefined],
  ]);
});
