import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { folderStore } from "@kto/core/node";
import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type LoraConfig } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KTOTrainer, listCheckpoints, NonFiniteLossError, type KTOConfig, type TrainerEvent } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

const lora: Partial<LoraConfig> = { r: 4, loraAlpha: 8, targetModules: "all-linear" };
const args: Partial<KTOConfig> = {
  perDeviceTrainBatchSize: 4,
  gradientAccumulationSteps: 2,
  numTrainEpochs: 2,
  learningRate: 2e-2,
  warmupSteps: 0.1,
  loggingSteps: 1,
  saveStrategy: "no",
  maxLength: 16,
};

let device: Device;
let base: Qwen2ForCausalLM;
let folder: string;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kto-trainer-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("a run", () => {
  test("begins at exactly 0.5, learns, and reports like trl", async () => {
    const { logs, trainer } = await run();
    expect(logs.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(logs[0]!.loss).toBe(0.5);
    expect(logs[1]!.loss).toBe(0.5); // the first update has rate 0 under warm-up
    expect(logs[0]!.learningRate).toBe(0);
    expect(logs.at(-1)!.loss).toBeLessThan(0.48);
    expect(Object.keys(logs[0]!.metrics)).toEqual(
      expect.arrayContaining(["kl", "entropy", "num_tokens", "logps/chosen", "logits/rejected", "rewards/margins"]),
    );
    expect(trainer.result).toMatchObject({ globalStep: 6, metrics: { epoch: 2 } });
    expect(trainer.progress.logHistory).toHaveLength(7);
  });

  test("repeats bit for bit, checkpointed or not", async () => {
    const first = await run();
    const second = await run();
    const checkpointed = await run({ gradientCheckpointing: false });
    expect(second.adapter).toEqual(first.adapter);
    expect(second.logs.map(numbers)).toEqual(first.logs.map(numbers));
    expect(checkpointed.adapter).toEqual(first.adapter);
  });

  test("with precomputed references, and with another accumulation, gives the numbers it should", async () => {
    const plain = await run();
    const precomputed = await run({ precomputeRefLogProbs: true });
    expect(precomputed.logs[0]!.loss).toBe(0.5);
    expect(precomputed.logs.at(-1)!.loss).toBeCloseTo(plain.logs.at(-1)!.loss, 5);
  });

  test("logs means over its window", async () => {
    const every = await run();
    const { logs } = await run({ loggingSteps: 3 });
    expect(logs.map(({ step }) => step)).toEqual([3, 6]);
    expect(logs[0]!.loss).toBeCloseTo((every.logs[0]!.loss + every.logs[1]!.loss + every.logs[2]!.loss) / 3, 12);
  });

  test("apo_zero_unpaired takes batches of one row", async () => {
    const { logs } = await run({
      lossType: "apo_zero_unpaired",
      perDeviceTrainBatchSize: 1,
      gradientAccumulationSteps: 4,
      numTrainEpochs: 1,
    });
    expect(logs[0]!.loss).toBe(0.5);
    expect(logs[0]!.metrics.kl).toBe(0);
  });

  test("dropout acts only when it is not disabled, and repeats", async () => {
    const withDropout = { ...lora, loraDropout: 0.5 };
    const disabled = await run({}, { lora: withDropout });
    expect(disabled.adapter).toEqual((await run()).adapter);
    const first = await run({ disableDropout: false }, { lora: withDropout });
    expect(first.adapter).not.toEqual(disabled.adapter);
    expect((await run({ disableDropout: false }, { lora: withDropout })).adapter).toEqual(first.adapter);
  });
});

describe("checkpoints", () => {
  test.each([1, 2, 3, 4, 5])("resuming after update %i gives the same bits", async (step) => {
    const whole = await run({ loggingSteps: 2 });
    await run({ loggingSteps: 2, saveStrategy: "steps", saveSteps: step }, { stopAfter: step, store: true });
    const rest = await run({ loggingSteps: 2 }, { store: true, resumeFrom: `checkpoint-${step}` });
    expect(rest.adapter).toEqual(whole.adapter);
    expect(rest.trainer.progress.logHistory.filter(({ loss }) => loss !== undefined)).toEqual(
      whole.trainer.progress.logHistory.filter(({ loss }) => loss !== undefined),
    );
  });

  test("hold what peft and transformers expect, and only the newest stay", async () => {
    await run({ saveStrategy: "steps", saveSteps: 1, saveTotalLimit: 2 }, { store: true });
    expect(await listCheckpoints(folderStore(folder))).toEqual(["checkpoint-5", "checkpoint-6"]);
    const state = JSON.parse(await readFile(join(folder, "checkpoint-6", "trainer_state.json"), "utf8"));
    expect(state).toMatchObject({ global_step: 6, max_steps: 6, epoch: 2, num_train_epochs: 2 });
    expect(state.log_history.at(-1)).toMatchObject({ step: 6 });
  });

  test("an interrupt finishes the update, saves, and rejects with its reason", async () => {
    const events: TrainerEvent[] = [];
    const stop = new AbortController();
    const running = run(
      {},
      {
        store: true,
        signal: stop.signal,
        onEvent: (event) => (events.push(event), event.type === "microBatch" && event.step === 3 && stop.abort(new Error("enough"))),
      },
    );
    await expect(running).rejects.toThrow("enough");
    expect(events.at(-1)).toMatchObject({ type: "checkpoint", step: 3, path: join(folder, "checkpoint-3") });
  });
});

describe("evaluation", () => {
  test("weighs the loss by rows and equals the training loss of the same rows", async () => {
    const rows = tinyRows(6);
    using model = getPeftModel(base, lora);
    const trainer = new KTOTrainer({
      model,
      evalDataset: Dataset.from(rows),
      args: { ...args, perDeviceEvalBatchSize: 4 },
    });
    const record = await trainer.evaluate();
    expect(record.eval_loss).toBe(0.5);
    expect(Object.keys(record)).toEqual(expect.arrayContaining(["eval_kl", "eval_rewards/chosen", "eval_samples_per_second"]));
  });

  test("runs during training at its steps", async () => {
    const events: TrainerEvent[] = [];
    await run({ evalStrategy: "steps", evalSteps: 3 }, { evalRows: tinyRows(4), onEvent: (event) => events.push(event) });
    expect(events.filter(({ type }) => type === "evaluate")).toHaveLength(2);
  });
});

describe("trouble", () => {
  test("a NaN loss stops the run, naming update and rows", async () => {
    const error = await run({ learningRate: 1e30, maxGradNorm: 0, warmupSteps: 0 }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(NonFiniteLossError);
    expect((error as NonFiniteLossError).message).toMatch(/in update \d+.*rows in the data are \d+, \d+/);
  });

  test("one row cannot be paired for KL", async () => {
    await expect(run({ perDeviceTrainBatchSize: 1 })).rejects.toThrow(/perDeviceTrainBatchSize is too small.*at least 2, got 1/);
  });
});

test("memory is flat over 200 updates", async () => {
  const before = device.memory.info().liveStorages;
  const live: number[] = [];
  const allocated: number[] = [];
  const heap: number[] = [];
  await run(
    { maxSteps: 200, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 1, loggingSteps: 10 },
    {
      rows: tinyRows(8),
      onEvent: (event) => {
        if (event.type !== "update" || event.step % 20 !== 0) return;
        live.push(device.memory.info().liveStorages);
        allocated.push(device.memory.info().allocatedBytes);
        collectGarbage();
        heap.push(process.memoryUsage().heapUsed);
      },
    },
  );
  expect(new Set(live).size).toBe(1);
  expect(new Set(allocated.slice(2)).size).toBe(1);
  expect(heap.at(-1)! - heap[1]!).toBeLessThan(2e6);
  expect(device.memory.info().liveStorages).toBe(before);
});

/** A full collection, so that what is measured is what is held. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

interface RunSettings {
  rows?: DataRow[];
  evalRows?: DataRow[];
  lora?: Partial<LoraConfig>;
  store?: boolean;
  resumeFrom?: string;
  stopAfter?: number;
  signal?: AbortSignal;
  onEvent?(event: TrainerEvent): void;
}

interface Run {
  logs: Awaited<ReturnType<typeof collect>>;
  adapter: Map<string, { a: Float32Array; b: Float32Array }>;
  trainer: KTOTrainer;
}

async function run(given: Partial<KTOConfig> = {}, settings: RunSettings = {}): Promise<Run> {
  const before = device.memory.info().liveStorages;
  const model = getPeftModel(base, settings.lora ?? lora, { seed: 3 });
  try {
    const trainer = new KTOTrainer({
      model,
      trainDataset: Dataset.from(settings.rows ?? tinyRows(22)),
      ...(settings.evalRows ? { evalDataset: Dataset.from(settings.evalRows) } : {}),
      args: { ...args, ...given },
      ...(settings.store ? { output: folderStore(folder) } : {}),
      ...(settings.onEvent ? { onEvent: settings.onEvent } : {}),
    });
    const logs = await collect(trainer, settings);
    return { logs, adapter: await model.readAdapter(), trainer };
  } finally {
    model.dispose();
    expect(device.memory.info().liveStorages, "buffers left over").toBe(before);
  }
}

async function collect(trainer: KTOTrainer, { resumeFrom, stopAfter, signal }: RunSettings) {
  const logs = [];
  for await (const log of trainer.train({ ...(resumeFrom ? { resumeFrom } : {}), ...(signal ? { signal } : {}) })) {
    logs.push(log);
    if (stopAfter !== undefined && log.step > stopAfter) break;
  }
  return logs;
}

/** What must repeat: everything but speed. */
function numbers({ step, loss, gradNorm, learningRate, metrics }: Run["logs"][number]): unknown {
  return { step, loss, gradNorm, learningRate, metrics };
}
