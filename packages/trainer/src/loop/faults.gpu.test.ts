import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore, opfsStore, WriteError, type Store } from "@kto/core";
import { folderStore } from "@kto/core/node";
import { Dataset } from "@kto/datasets";
import type { LoraWeights } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MemoryFolder } from "../../../core/src/testing/memory-opfs.js";
import { KTOTrainer, type KTOConfig, type LogRecord, type TrainerEvent } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

const peftConfig = { r: 4, loraAlpha: 8, targetModules: "all-linear", loraDropout: 0.25 } as const;
const settings: Partial<KTOConfig> = {
  perDeviceTrainBatchSize: 4,
  maxSteps: 6,
  learningRate: 1e-2,
  loggingSteps: 4, // a checkpoint lies within a window of it
  saveSteps: 2,
  disableDropout: false,
};

let device: Device;
let base: Qwen2ForCausalLM;
let folder: string;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
  folder = mkdtempSync(join(tmpdir(), "kto-faults-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  base.dispose();
  device.dispose();
});

interface Ran {
  adapter: Map<string, LoraWeights>;
  losses: LogRecord[];
  events: TrainerEvent[];
}

async function run(output: Store, resumeFrom?: true | string, given: Partial<KTOConfig> = {}): Promise<Ran> {
  const events: TrainerEvent[] = [];
  using trainer = new KTOTrainer({
    model: base,
    peftConfig,
    trainDataset: Dataset.from(tinyRows(12)),
    args: { ...settings, ...given },
    output,
    onEvent: (event) => events.push(event),
  });
  await trainer.train({ resumeFrom });
  return { adapter: await trainer.model.readAdapter(), losses: trainer.progress.logHistory.filter((one) => "loss" in one), events };
}

/** Ends a file of a store in its middle. */
async function cut(store: Store, path: string): Promise<void> {
  const source = (await store.open(path))!;
  const bytes = (await source.slice(0, source.byteLength >> 1)).slice();
  await source.dispose?.();
  await store.write(path, bytes);
}

describe.each<[name: string, make: () => Store]>([
  ["memory", () => memoryStore()],
  ["a folder in Node", () => folderStore(join(folder, "run"))],
  ["a browser's private files", () => opfsStore(new MemoryFolder("").handle)],
])("resuming from %s with a damaged newest checkpoint", (_name, make) => {
  test("goes on from the one before it, to the bits of a run without a break", async () => {
    const store = make();
    const whole = await run(store);
    await cut(store, "checkpoint-6/adapter_model.safetensors");
    await cut(store, "checkpoint-4/optimizer.safetensors");
    const resumed = await run(store, true);
    const problem = expect.stringContaining("bytes that were written") as string;
    expect(resumed.events.filter(({ type }) => type === "checkpointDamaged")).toEqual([
      { type: "checkpointDamaged", name: "checkpoint-6", file: "adapter_model.safetensors", problem },
      { type: "checkpointDamaged", name: "checkpoint-4", file: "optimizer.safetensors", problem },
    ]);
    expect(resumed.events.find(({ type }) => type === "update")).toMatchObject({ step: 3 });
    expect(resumed.adapter).toEqual(whole.adapter);
    expect(resumed.losses).toEqual(whole.losses);
    await expect(run(store, "checkpoint-9")).rejects.toMatchObject({ checkpoint: "checkpoint-9", file: "trainer_state.json" });
  });
});

/** A store that has no more room at the `count`-th write, whatever is written. */
function fullAfter(store: Store, count: number): { store: Store; written: () => number } {
  let written = 0;
  const guarded = (inner: Store): Store => ({
    name: inner.name,
    open: (path) => inner.open(path),
    list: (path) => inner.list(path),
    remove: (path) => inner.remove(path),
    folder: (path) => guarded(inner.folder(path)),
    append: async (path, content) => (expectRoom(inner, path), inner.append(path, content)),
    write: async (path, content) => (expectRoom(inner, path), inner.write(path, content)),
    writeFolder: async (path, fill) => inner.writeFolder(path, (partial) => fill(guarded(partial))),
  });
  const expectRoom = ({ name }: Store, path: string): void => {
    if (written++ < count) return;
    throw new WriteError(
      {
        operation: "write",
        problem: `${name}/${path} was not written`,
        expected: "write to succeed",
        got: "ENOSPC: the disk is full",
        advice: "save again",
      },
      { path: `${name}/${path}`, reason: "ENOSPC" },
    );
  };
  return { store: guarded(store), written: () => written };
}

describe("a full disk", () => {
  test("at any write of a run: the path, the way to go on, nothing half-written, and the same bits afterwards", async () => {
    const four = { maxSteps: 4 };
    const whole = await run(memoryStore(), undefined, four);
    const counting = fullAfter(memoryStore(), Infinity);
    await run(counting.store, undefined, four);
    expect(counting.written()).toBe(10); // five files a checkpoint
    for (let count = 0; count < counting.written(); count++) {
      const store = memoryStore("out");
      const error = await run(fullAfter(store, count).store, undefined, four).catch((caught: unknown) => caught as WriteError);
      const done = 2 * Math.floor(count / 5);
      expect(error).toMatchObject({ code: "WRITE", reason: "ENOSPC", path: expect.stringMatching(`^out/checkpoint-${done + 2}/.`) });
      expect((error as WriteError).message).toMatch(
        done === 0
          ? /^train: out\/\S+ was not written; expected write to succeed, got ENOSPC: the disk is full; free some space and run it again; there is no checkpoint yet$/
          : new RegExp(`; free some space and go on from checkpoint-${done} with resumeFrom true$`),
      );
      expect((await store.list()).map(({ name }) => name)).toEqual(["checkpoint-2"].slice(0, done / 2));
      const after = await run(store, true, four);
      expect(after.adapter).toEqual(whole.adapter);
      expect(after.losses).toEqual(whole.losses);
    }
  });

  test("when the trained model is saved: it may be saved again", async () => {
    using trainer = new KTOTrainer({
      model: base,
      peftConfig,
      trainDataset: Dataset.from(tinyRows(12)),
      args: { ...settings, maxSteps: 1 },
    });
    await trainer.train();
    for (let count = 0; count < 4; count++) {
      const store = memoryStore("out");
      await expect(trainer.saveModel(fullAfter(store, count).store)).rejects.toMatchObject({
        code: "WRITE",
        path: expect.stringMatching(/^out\/./),
      });
      await trainer.saveModel(store);
      expect(await store.open("adapter_config.json")).toBeDefined();
    }
  });
});

test("a second trainer on one base model says what to do with the first", async () => {
  const make = (): KTOTrainer => new KTOTrainer({ model: base, peftConfig, trainDataset: Dataset.from(tinyRows(12)), args: settings });
  {
    using first = make();
    expect(make).toThrow(
      /^KTOTrainer: the base model carries an adapter of another trainer or PeftModel; .*; call trainer\.dispose\(\) of that one first, or pass its model/,
    );
    expect(make).toThrow(expect.objectContaining({ code: "TRAINER_USAGE" }) as Error);
    expect(first.model.adapters.size).toBe(1);
  }
  using third = make();
  expect(third.model.adapters.size).toBe(1);
});

test("what the adapter is told otherwise is said; dropout only where it acts", async () => {
  const store = memoryStore();
  await run(store, undefined, { maxSteps: 2 });
  const differencesOf = async (changed: object, args: Partial<KTOConfig> = {}): Promise<unknown> => {
    using trainer = new KTOTrainer({
      model: base,
      peftConfig: { ...peftConfig, ...changed },
      trainDataset: Dataset.from(tinyRows(12)),
      args: { ...settings, maxSteps: 2, ...args },
      output: store,
    });
    return (await trainer.plan({ resumeFrom: true })).differences;
  };
  expect(await differencesOf({})).toEqual([]);
  expect(await differencesOf({ loraAlpha: 16, useRslora: true, loraDropout: 0.1 })).toEqual([
    { field: "loraAlpha", before: 8, now: 16 },
    { field: "useRslora", before: false, now: true },
    { field: "loraDropout", before: 0.25, now: 0.1 },
  ]);
  expect(await differencesOf({ loraDropout: 0.1 }, { disableDropout: true })).toEqual([
    { field: "disableDropout", before: false, now: true },
  ]);
  await expect(differencesOf({ r: 8 })).rejects.toThrow(
    /^resume: checkpoint-2 does not fit: it is of another adapter: r 4 there, 8 here; resume with the settings of that run/,
  );
});

test("a schedule that follows the evaluation goes on where it stood", async () => {
  const args: Partial<KTOConfig> = {
    lrSchedulerType: "reduce_lr_on_plateau",
    lrSchedulerKwargs: { patience: 0, factor: 0.5, mode: "max", threshold: 0.5 }, // nothing is good enough
    evalStrategy: "steps",
    evalSteps: 1,
    loggingSteps: 1,
  };
  const rates = async (output: Store, resumeFrom?: true, given: Partial<KTOConfig> = {}): Promise<number[]> => {
    using trainer = new KTOTrainer({
      model: base,
      peftConfig,
      trainDataset: Dataset.from(tinyRows(12)),
      evalDataset: Dataset.from(tinyRows(4)),
      args: { ...settings, ...args, ...given },
      output,
    });
    await trainer.train({ resumeFrom });
    const { logHistory } = trainer.progress;
    expect(logHistory.filter((one) => "eval_loss" in one).every((one) => one["eval_num_tokens"]! > 0)).toBe(true);
    return logHistory.flatMap(({ learning_rate: rate }) => (rate === undefined ? [] : [rate]));
  };
  const whole = await rates(memoryStore());
  expect(whole).toEqual([1e-2, 1e-2, 5e-3, 2.5e-3, 1.25e-3, 6.25e-4]); // the first evaluation is better than none
  const store = memoryStore();
  await rates(store, undefined, { maxSteps: 4 });
  expect(await rates(store, true)).toEqual(whole);
  await expect(rates(memoryStore(), undefined, { metricForBestModel: "accuracy" })).rejects.toThrow(
    /no evaluation logs the metric that the run is to go by; expected metricForBestModel to be one of eval_loss, .*eval_rewards\/margins.*, got "accuracy"/,
  );
  expect(await rates(memoryStore(), undefined, { metricForBestModel: "rewards/margins", maxSteps: 2 })).toHaveLength(2);
  await expect(rates(memoryStore(), undefined, { evalStrategy: "no" })).rejects.toThrow(
    /follows a metric of the evaluation, and there is none/,
  );
});
