import { memoryStore, WriteError, type Store } from "@kto/core";
import { Dataset } from "@kto/datasets";
import type { LoraWeights } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KTOTrainer, type KTOConfig, TrainingControl, type LogRecord, type TrainerEvent } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

const peftConfig = { r: 4, loraAlpha: 8, targetModules: "all-linear" } as const;
const settings: Partial<KTOConfig> = { perDeviceTrainBatchSize: 4, maxSteps: 5, learningRate: 1e-2, loggingSteps: 3, saveStrategy: "no" };

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

interface Ran {
  adapter: Map<string, LoraWeights>;
  losses: LogRecord[];
  runtimeMs: number;
}

/** A whole run; `onEvent` may act on its control. */
async function run(
  control: TrainingControl | undefined,
  {
    output,
    onEvent,
    signal,
    resumeFrom,
  }: { output?: Store; onEvent?(event: TrainerEvent): void; signal?: AbortSignal; resumeFrom?: true } = {},
): Promise<Ran> {
  const trainDataset = Dataset.from(tinyRows(12));
  using trainer = new KTOTrainer({ model: base, peftConfig, trainDataset, args: settings, output, onEvent });
  const { metrics } = await trainer.train({ control, signal, resumeFrom });
  const losses = trainer.progress.logHistory.filter((record) => "loss" in record);
  return { adapter: await trainer.model.readAdapter(), losses, runtimeMs: metrics.train_runtime * 1000 };
}

test("holds a run up, writes a checkpoint meanwhile and lets it go on: no update, no time and no bit comes of it", async () => {
  const control = new TrainingControl();
  const events: TrainerEvent[] = [];
  let path: string | undefined;
  const output = memoryStore("outputs");
  const meanwhile = async (): Promise<void> => {
    path = await control.save();
    expect(await control.save()).toBe(path); // it is there already
    const { length } = events;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(events).toHaveLength(length);
    control.resume();
  };
  const started = performance.now();
  const held = await run(control, {
    output,
    onEvent(event) {
      events.push(event);
      if (event.type === "update" && event.step === 2) control.pause();
      if (event.type === "pause") setTimeout(() => void meanwhile());
    },
  });
  expect(
    events
      .map((event) => ("step" in event && event.type !== "microBatch" ? `${event.type} ${event.step}` : event.type))
      .filter((said) => !/microBatch|prepare|log/.test(said)),
  ).toEqual(
    ["update 1", "update 2", "pause 2", "checkpoint 2", "resume 2", "update 3", "update 4", "update 5"], // prettier-ignore
  );
  expect(path).toBe("outputs/checkpoint-2");
  expect(control.pausedMs).toBeGreaterThan(299);
  const last = events.findLast((event) => event.type === "update");
  for (const ms of [last!.elapsedMs, held.runtimeMs]) expect(ms).toBeLessThan(performance.now() - started - control.pausedMs);
  const before = await run(undefined);
  expect({ adapter: held.adapter, losses: held.losses }).toEqual({ adapter: before.adapter, losses: before.losses });
  const resumed = await run(undefined, { output, resumeFrom: true }); // from a checkpoint within the logging window
  expect({ adapter: resumed.adapter, losses: resumed.losses }).toEqual({ adapter: before.adapter, losses: before.losses });
});

test("a run that is held up ends by its signal, with a checkpoint to go on from", async () => {
  const control = new TrainingControl();
  const stop = new AbortController();
  const output = memoryStore();
  const ended = run(control, {
    output,
    signal: stop.signal,
    onEvent(event) {
      if (event.type === "update" && event.step === 4) control.pause();
      if (event.type === "pause") setTimeout(() => stop.abort(new Error("enough")), 20);
    },
  });
  await expect(ended).rejects.toThrow("enough");
  expect((await output.list()).map(({ name }) => name)).toEqual(["checkpoint-4"]);
  const { adapter } = await run(undefined, { output, resumeFrom: true });
  expect(adapter).toEqual((await run(undefined)).adapter);
});

test("may hold a run up before its first update, and is not asked after its last", async () => {
  const control = new TrainingControl();
  control.pause();
  const steps: number[] = [];
  const ended = run(control, {
    output: memoryStore(),
    onEvent(event) {
      if (event.type === "pause") setTimeout(() => control.resume(), 20);
      if (event.type === "pause") steps.push(event.step);
      if (event.type === "update" && event.step === 5) control.pause();
    },
  });
  const { adapter } = await ended;
  expect(steps).toEqual([0]);
  expect(adapter.size).toBeGreaterThan(0);
  await expect(control.save()).rejects.toMatchObject({
    code: "TRAINER_USAGE",
    message: expect.stringContaining("the run has ended") as string,
  });
});

test("hears what is asked for in the very event that tells of the pause", async () => {
  const control = new TrainingControl();
  const stop = new AbortController();
  const output = memoryStore("outputs");
  let path: Promise<string> | undefined;
  const ended = run(control, {
    output,
    signal: stop.signal,
    onEvent(event) {
      if (event.type === "update" && event.step !== 3) control.pause();
      if (event.type !== "pause") return;
      if (event.step === 1) control.resume();
      else if (event.step === 2) path = control.save().finally(() => control.resume());
      else stop.abort(new Error("enough"));
    },
  });
  await expect(ended).rejects.toThrow("enough");
  expect(await path).toBe("outputs/checkpoint-2");
  expect((await output.list()).map(({ name }) => name)).toEqual(["checkpoint-2", "checkpoint-4"]);
});

test("a checkpoint that cannot be written is told to who asked, and the run goes on", async () => {
  const control = new TrainingControl();
  const full: Store = {
    ...memoryStore(),
    writeFolder: async (path) => {
      throw new WriteError({ operation: "writeFolder", problem: "the disk is full" }, { path });
    },
  };
  let said: unknown;
  const onEvent = (event: TrainerEvent): void => {
    if (event.type === "update" && event.step === 1) void control.save().catch((error: unknown) => (said = error));
  };
  const { adapter } = await run(control, { output: full, onEvent });
  expect(said).toMatchObject({ code: "WRITE" });
  expect(adapter).toEqual((await run(undefined)).adapter);
  const without = new TrainingControl();
  const [asked] = await Promise.allSettled([without.save(), run(without)]);
  expect(asked).toMatchObject({
    status: "rejected",
    reason: { message: expect.stringContaining("there is no place for checkpoints") as string },
  });
});
