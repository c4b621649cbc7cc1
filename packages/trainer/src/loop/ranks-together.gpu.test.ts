import { memoryStore, RanksError, WriteError, type Store } from "@kto/core";
import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type LoraWeights } from "@kto/lora";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  KTOTrainer,
  TrainingControl,
  type Collective,
  type KTOConfig,
  type PlannedRun,
  type SharedTrainerOptions,
  type TrainerEvent,
} from "../index.js";
import { meetingPlace } from "../testing/meeting-place.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";
import { listCheckpoints } from "./checkpoint-names.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

interface Told {
  collective: Collective;
  args?: Partial<KTOConfig>;
  rows?: DataRow[];
  seed?: number;
  loraAlpha?: number;
  output?: Store | undefined;
  control?: TrainingControl | undefined;
  signal?: AbortSignal;
  resumeFrom?: true;
  agreeOn?: SharedTrainerOptions<never>["agreeOn"];
  onEvent?(event: TrainerEvent): void;
}

interface Ran {
  /** Updates that were done, and what ended the run if anything did. */
  steps: number;
  error: unknown;
  adapter: Map<string, LoraWeights>;
  losses: number[];
  plan: PlannedRun | undefined;
}

async function run({
  collective,
  args,
  rows = tinyRows(16),
  seed = 3,
  loraAlpha = 8,
  control,
  signal,
  resumeFrom,
  ...options
}: Told): Promise<Ran> {
  using base = tinyModel(device);
  using model = getPeftModel(base, { r: 4, loraAlpha, targetModules: "all-linear" }, { seed });
  const trainer = new KTOTrainer({
    ...options,
    model,
    trainDataset: Dataset.from(rows),
    evalDataset: Dataset.from(tinyRows(6)),
    collective,
    args: {
      perDeviceTrainBatchSize: 2,
      maxSteps: 6,
      learningRate: 1e-2,
      lrSchedulerType: "constant",
      loggingSteps: 1,
      saveStrategy: "no",
      ...args,
    },
  });
  let plan: PlannedRun | undefined;
  let error: unknown;
  try {
    plan = await trainer.plan({ signal, resumeFrom });
    await plan.train({ control, signal });
  } catch (reason) {
    error = reason;
  }
  const losses = trainer.progress.logHistory.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
  return { steps: trainer.progress.globalStep, error, adapter: await model.readAdapter(), losses, plan };
}

/** The same run on every rank, but for what each is told besides. */
function onRanks(size: number, told: (rank: number) => Omit<Told, "collective">): Promise<Ran[]> {
  return Promise.all(meetingPlace(size).ranks.map((collective, rank) => run({ collective, ...told(rank) })));
}

/** Acts when an update is done. */
const after = (step: number, act: () => void) => ({
  onEvent: (event: TrainerEvent): void => void (event.type === "update" && event.step === step && act()),
});

test("whichever rank is told to end, all end after the same update, with one checkpoint, and go on from it to the bit", async () => {
  const [whole] = await onRanks(3, () => ({}));
  const output = memoryStore();
  const told = new AbortController();
  const ran = await onRanks(3, (rank) => ({
    output,
    ...(rank === 2 && { signal: told.signal, ...after(3, () => told.abort(new Error("stopped"))) }),
  }));
  expect(ran.map(({ steps }) => steps)).toEqual([3, 3, 3]);
  expect(ran[2]!.error).toBe(told.signal.reason);
  for (const { error } of ran.slice(0, 2))
    expect(error).toMatchObject({
      code: "RANKS",
      failures: [{ rank: 2 }],
      message: expect.stringMatching(/rank 2 was told to end/) as string,
    });
  expect(await listCheckpoints(output)).toEqual(["checkpoint-3"]);
  const rest = await onRanks(3, () => ({ output, resumeFrom: true }));
  for (const { adapter, losses } of rest) {
    expect(adapter).toEqual(whole!.adapter);
    expect(losses).toEqual(whole!.losses);
  }
});

test("an evaluation that one rank is told to leave is owed by all", async () => {
  const args: Partial<KTOConfig> = { evalStrategy: "steps", evalSteps: 2, perDeviceEvalBatchSize: 2 };
  const output = memoryStore();
  const told = new AbortController();
  const ran = await onRanks(2, (rank) => ({
    args,
    output,
    ...(rank === 1 && { signal: told.signal, ...after(2, () => told.abort(new Error("stopped"))) }),
  }));
  expect(ran.map(({ steps }) => steps)).toEqual([2, 2]);
  const [resumed] = await onRanks(2, () => ({ args, output, resumeFrom: true }));
  const [whole] = await onRanks(2, () => ({ args }));
  expect(resumed!.error).toBeUndefined();
  expect(resumed!.adapter).toEqual(whole!.adapter);
});

test("a control of one rank holds all of them up, and has all write", async () => {
  const [free] = await onRanks(2, () => ({}));
  const control = new TrainingControl();
  const output = memoryStore("outputs");
  const paused: number[] = [];
  let path: string | undefined;
  const meanwhile = async (): Promise<void> => {
    path = await control.save();
    control.resume();
  };
  const ran = await onRanks(2, (rank) => ({
    output,
    control: rank === 1 ? control : undefined, // rank 0 has none, and writes
    onEvent(event) {
      if (rank === 1 && event.type === "update" && event.step === 2) control.pause();
      if (event.type !== "pause") return;
      paused.push(event.step);
      if (rank === 1) void meanwhile();
    },
  }));
  expect(paused).toEqual([2, 2]);
  expect(path).toBe("outputs/checkpoint-2");
  expect(await listCheckpoints(output)).toEqual(["checkpoint-2"]);
  for (const { error, adapter } of ran) expect([error, adapter]).toEqual([undefined, free!.adapter]);
});

describe("a disk that is full on the first rank", () => {
  const full = (): Store => ({
    ...memoryStore(),
    writeFolder: () => Promise.reject(new WriteError("write: no space", { path: "checkpoint-2", reason: "ENOSPC" })),
  });

  test("ends all of them", async () => {
    const ran = await onRanks(2, () => ({ output: full(), args: { saveStrategy: "steps", saveSteps: 2 } }));
    expect(ran.map(({ steps }) => steps)).toEqual([2, 2]);
    expect(ran[0]!.error).toMatchObject({ code: "WRITE", message: expect.stringMatching(/ENOSPC/) as string });
    expect(ran[1]!.error).toMatchObject({ code: "WRITE", message: expect.stringMatching(/rank 0 could not write checkpoint-2/) as string });
  });

  test("leaves them alone where somebody asked for the checkpoint, and is told", async () => {
    const control = new TrainingControl();
    let refused: unknown;
    const ran = await onRanks(2, (rank) => ({
      output: full(),
      ...(rank === 0 && { control, ...after(2, () => void control.save().catch((error: unknown) => (refused = error))) }),
    }));
    expect(refused).toMatchObject({ code: "WRITE" });
    expect(ran.map(({ steps, error }) => [steps, error])).toEqual([
      [6, undefined],
      [6, undefined],
    ]);
  });
});

describe("ranks that were not started with the same run are refused, on all of them, before anything is written", () => {
  const other = tinyRows(16).map((row, index) => (index === 5 ? { ...row, label: !row["label"] } : row));
  test.each<[string, Partial<Told>]>([
    ["the arguments", { args: { beta: 0.2 } }],
    ["the training data", { rows: other }],
    ["the weights to train", { seed: 4 }],
    ["the adapter's config", { loraAlpha: 16 }],
    ["the version", { agreeOn: { "the version": "2" } }],
    ["whether there is an output", { output: undefined }],
  ])("%s", async (what, told) => {
    const output = memoryStore();
    const ran = await onRanks(3, (rank) => ({ output, agreeOn: { "the version": "1" }, ...(rank === 1 ? told : {}) }));
    for (const { error, steps } of ran) {
      expect(steps).toBe(0);
      expect(error).toBeInstanceOf(RanksError);
      expect(error).toMatchObject({
        isUnlike: true,
        failures: [{ rank: 1 }],
        message: expect.stringContaining(`other than on rank 0 are ${what} of rank 1;`) as string,
      });
    }
    expect(await listCheckpoints(output)).toEqual([]);
  });
});

describe("a run that goes on with another number of ranks", () => {
  const saved = async (size: number, args: Partial<KTOConfig>): Promise<Store> => {
    const output = memoryStore();
    await onRanks(size, () => ({
      output,
      args: { lossType: "apo_zero_unpaired", maxSteps: 3, saveStrategy: "steps", saveSteps: 3, ...args },
    }));
    return output;
  };

  test("and as many rows in an update trains on the rows that are left, as it would have", async () => {
    const output = await saved(2, {});
    const args: Partial<KTOConfig> = { lossType: "apo_zero_unpaired", perDeviceTrainBatchSize: 4 };
    const [rest] = await onRanks(1, () => ({ output, args, resumeFrom: true }));
    const [whole] = await onRanks(1, () => ({ args }));
    expect(rest!.losses).toHaveLength(6);
    rest!.losses.forEach((loss, index) => expect(loss).toBeCloseTo(whole!.losses[index]!, 5));
    expect(rest!.plan).toMatchObject({
      differences: [
        { field: "numRanks", before: 2, now: 1 },
        { field: "perDeviceTrainBatchSize", before: 2, now: 4 },
        { field: "maxSteps", before: 3, now: 6 },
      ],
      placeChange: undefined,
    });
  });

  test("and others says where it goes on: the number of the update decides, as in transformers", async () => {
    const output = await saved(1, {});
    const args: Partial<KTOConfig> = { lossType: "apo_zero_unpaired" };
    const rest = await onRanks(3, () => ({ output, args, resumeFrom: true }));
    expect(rest.map(({ error, steps }) => [error, steps])).toEqual([0, 1, 2].map(() => [undefined, 6]));
    expect(rest[1]!.plan).toMatchObject({
      differences: [
        { field: "numRanks", before: 1, now: 3 },
        { field: "maxSteps", before: 3, now: 6 },
      ],
      placeChange: { before: { epoch: 0, row: 6 }, now: { epoch: 1, row: 0 } },
    });
  });
});

test("a loss that is not finite on one rank ends all of them at the same update", async () => {
  const ran = await onRanks(2, () => ({ args: { learningRate: 1e30, maxGradNorm: 1e30 } }));
  expect(new Set(ran.map(({ error }) => (error as Error).message)).size).toBe(1);
  for (const { error } of ran) expect(error).toMatchObject({ code: "NON_FINITE_LOSS" });
});
