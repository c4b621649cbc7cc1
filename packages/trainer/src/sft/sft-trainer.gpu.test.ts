import { memoryStore, readText, type Store } from "@kto/core";
import { Dataset, type DataRow } from "@kto/datasets";
import { sftLossPlain } from "@kto/losses/plain";
import { getPeftModel, type LoraConfig, type LoraWeights } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  prepareSftDataset,
  scoreBatch,
  SFTTrainer,
  TrainerConfigError,
  type Collective,
  type PreparedSftDataset,
  type SFTConfig,
  type SftRow,
  type TrainLog,
} from "../index.js";
import { meetingPlace } from "../testing/meeting-place.js";
import { tinyModel } from "../testing/tiny-model.js";

const lora: Partial<LoraConfig> = { r: 4, loraAlpha: 8, targetModules: "all-linear" };
const args: Partial<SFTConfig> = {
  perDeviceTrainBatchSize: 4,
  numTrainEpochs: 2,
  learningRate: 1e-2,
  loggingSteps: 1,
  saveStrategy: "no",
  maxLength: 16,
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

/** Rows of ids of different lengths: some scored as a whole, some in part, some with a hole. */
function tinyDocuments(count: number): DataRow[] {
  return Array.from({ length: count }, (_, row) => {
    const input_ids = Array.from({ length: 4 + ((row * 5) % 9) }, (_id, position) => 1 + ((row * 7 + position * (1 + (row % 3))) % 35));
    const bits = input_ids.map((_id, position) => (row % 3 === 0 || (position >= 2 && !(row % 3 === 2 && position === 3)) ? 1 : 0));
    return { input_ids, assistant_masks: bits };
  });
}

describe("a run", () => {
  it("learns, and logs and evaluates under trl's names", async () => {
    const { logs, records } = await run({ evalStrategy: "steps", evalSteps: 6 });
    expect(logs.at(-1)!.loss).toBeLessThan(logs[0]!.loss - 0.2);
    const metrics = ["entropy", "mean_token_accuracy", "num_tokens"];
    const keys = (record: object): string[] => Object.keys(record).sort();
    expect(keys(records[0]!)).toEqual([...metrics, "epoch", "grad_norm", "learning_rate", "loss", "step"].sort());
    expect(keys(records.find((record) => "eval_loss" in record)!)).toEqual(
      [
        "epoch",
        "eval_loss",
        "eval_runtime",
        "eval_samples_per_second",
        "eval_steps_per_second",
        "step",
        ...metrics.map((name) => `eval_${name}`),
      ].sort(),
    );
    const lengths = tinyDocuments(12).map(({ input_ids: ids }) => (ids as number[]).length);
    expect(logs.at(-1)!.metrics["num_tokens"]).toBe(2 * lengths.reduce((total, length) => total + length, 0));
  });

  it.each(["nll", "dft"] as const)("has the mean over the scored tokens of all its micro-batches as its loss: %s", async (lossType) => {
    const { logs, prepared } = await run({
      lossType,
      maxSteps: 1,
      perDeviceTrainBatchSize: 5,
      gradientAccumulationSteps: 3,
      learningRate: 0,
    });
    const { tokenLogProbs } = device.scope(() =>
      scoreBatch(
        base,
        [...prepared.rows].flatMap(({ documents }) => documents),
      ),
    );
    const { loss } = sftLossPlain({ tokenLogProbs: await tokenLogProbs!.read(), lossType });
    expect(tokenLogProbs!.size).toBe(prepared.tokens.scored);
    tokenLogProbs!.dispose();
    expect(logs[0]!.loss).toBeCloseTo(loss, 5);
  });

  it("evaluates as transformers does: the mean over rows of the token mean of the batch that each is in", async () => {
    const { records } = await run({ maxSteps: 1, learningRate: 0, evalStrategy: "steps", evalSteps: 1, perDeviceEvalBatchSize: 2 });
    const { rows } = await prepareSftDataset(Dataset.from(tinyDocuments(5)));
    let total = 0;
    for (const batch of [rows.slice(0, 2), rows.slice(2, 4), rows.slice(4)]) {
      using scores = device.scope(
        () =>
          scoreBatch(
            base,
            batch.flatMap(({ documents }) => documents),
          ).tokenLogProbs!,
      );
      total += batch.length * sftLossPlain({ tokenLogProbs: await scores.read() }).loss;
    }
    expect(records.find((record) => "eval_loss" in record)).toMatchObject({ eval_loss: expect.closeTo(total / 5, 5) });
  });

  it("of one row at a time and accumulated is that of four rows", async () => {
    expectSame(await run({ perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4 }), await run(), 2e-5);
  });

  it("that computes layers again is that of one that keeps them", async () => {
    expectSame(await run({ gradientCheckpointing: true }), await run({ gradientCheckpointing: false }), 2e-5);
  });

  it("of packed documents is that of the same documents in rows of their own", async () => {
    const whole = { maxSteps: 4, trainSamplingStrategy: "sequential" } as const;
    const rows = await run({ ...whole, perDeviceTrainBatchSize: 12 });
    const packed = await run({ ...whole, packing: true, perDeviceTrainBatchSize: 12 });
    expect(packed.prepared.rows.length).toBeLessThan(rows.prepared.rows.length);
    expect(packed.prepared.tokens).toEqual(rows.prepared.tokens);
    expectSame(packed, rows, 2e-5);
    expect(packed.logs[0]!.metrics["mean_token_accuracy"]).toBe(rows.logs[0]!.metrics["mean_token_accuracy"]);
  });

  it("of wrapped documents attends across them, and positions run through", async () => {
    const texts = [tinyDocuments(1)[0]!["input_ids"] as number[], [9, 8, 7, 6, 5, 4], [3, 2, 1]];
    const once = { maxSteps: 1, learningRate: 0, maxLength: 13, perDeviceTrainBatchSize: 1 } as const;
    const of = async (rows: DataRow[], given: Partial<SFTConfig>): Promise<number> =>
      (await run({ ...once, ...given }, { rows })).logs[0]!.loss;
    const wrapped = await of(
      texts.map((ids) => ({ input_ids: ids })),
      { packing: true, packingStrategy: "wrapped" },
    );
    expect(wrapped).toBe(await of([{ input_ids: texts.flat() }], {}));
    expect(wrapped).not.toBeCloseTo(
      await of(
        texts.map((ids) => ({ input_ids: ids })),
        { packing: true },
      ),
      3,
    );
  });

  it("resumed in the midst of an epoch's order goes on to the bit", async () => {
    const whole = await run();
    const store = memoryStore();
    await run({ saveStrategy: "steps", saveSteps: 2 }, { store, stopAfter: 2 });
    const rest = await run({}, { store, resumeFrom: "checkpoint-2" });
    expect(rest.adapter).toEqual(whole.adapter);
    expect(rest.logs.map(({ loss }) => loss)).toEqual(whole.logs.slice(2).map(({ loss }) => loss));
  });

  it("of two ranks is that of one with twice the accumulation", async () => {
    const rows = tinyDocuments(16);
    const ranks = meetingPlace(2).ranks.map((collective) => run({ maxSteps: 4 }, { rows, collective }));
    const [rank, other] = await Promise.all(ranks);
    expect(other!.adapter).toEqual(rank!.adapter);
    expectSame(rank!, await run({ maxSteps: 4, gradientAccumulationSteps: 2 }, { rows }), 2e-5);
  });

  it("takes another order in each epoch, by data_seed or seed, and that of the file where it is asked to", async () => {
    const losses = async (given: Partial<SFTConfig>): Promise<number[]> =>
      (await run({ learningRate: 0, ...given })).logs.map(({ loss }) => loss);
    const seeded = await losses({ seed: 7 });
    expect(seeded.slice(0, 3)).not.toEqual(seeded.slice(3));
    expect(await losses({ seed: 8, dataSeed: 7 })).toEqual(seeded);
    const inOrder = await losses({ trainSamplingStrategy: "sequential" });
    expect(inOrder.slice(0, 3)).toEqual(inOrder.slice(3));
    expect(await losses({ shuffleDataset: false })).toEqual(inOrder);
    expect(await losses({ shuffleDataset: true, trainSamplingStrategy: "sequential" })).not.toEqual(inOrder);
  });

  it("with a micro-batch in which nothing is scored goes on with the others", async () => {
    const row = (promptIds: number[], completionIds: number[], sourceIndex: number): SftRow => ({
      documents: [{ promptIds, completionIds }],
      sourceIndex,
    });
    const settings = {
      maxSteps: 1,
      perDeviceTrainBatchSize: 1,
      gradientAccumulationSteps: 2,
      trainSamplingStrategy: "sequential",
    } as const;
    const { prepared } = await run({ maxSteps: 1 });
    const both = await run(settings, { prepared: { ...prepared, rows: [row([1, 2, 3], [], 0), row([1, 2], [3, 4], 1)] } });
    const alone = await run(settings, { prepared: { ...prepared, rows: [row([1, 2], [3, 4], 1)] } });
    expect([both.logs[0]!.loss, both.logs[0]!.gradNorm]).toEqual([alone.logs[0]!.loss, alone.logs[0]!.gradNorm]);
    const none = await run(settings, { prepared: { ...prepared, rows: [row([1, 2, 3], [], 0)] } });
    expect(none.logs[0]).toMatchObject({ loss: 0, gradNorm: 0, metrics: { entropy: 0, mean_token_accuracy: 0 } });
  });
});

it("saves the tokenizer with the EOS token that it was told of", async () => {
  using model = getPeftModel(base, lora, { seed: 3 });
  const tokenizer = await loadTokenizer(fixturePath("model"));
  const make = (eosToken: string): SFTTrainer => new SFTTrainer({ model, tokenizer, args: { ...args, eosToken } });
  const store = memoryStore();
  await make("<|im_end|>").saveModel(store);
  expect(JSON.parse((await readText(store, "tokenizer_config.json"))!)).toMatchObject({ eos_token: "<|im_end|>" });
  expect(() => make("<none>")).toThrow(/eosToken is no token of the tokenizer/);
});

describe("options that do not go together are refused before anything is loaded", () => {
  it.each<[Partial<SFTConfig>, string]>([
    [{ lossType: "ce" as "nll" }, "lossType is not usable; expected one of nll, dft, chunked_nll"],
    [{ packing: true, maxLength: null }, "maxLength is missing where rows are packed"],
    [{ evalPacking: true, maxLength: null }, "got null with evalPacking"],
    [{ packingStrategy: "ffd" as "bfd" }, "packingStrategy is not usable; expected one of bfd, bfd_split, wrapped"],
    [{ datasetTextField: "" }, "datasetTextField is not usable; expected text"],
  ])("%j", (given, message) => {
    const make = (): SFTTrainer => new SFTTrainer({ model: base, peftConfig: lora, trainDataset: Dataset.from<DataRow>([]), args: given });
    expect(make).toThrow(TrainerConfigError);
    expect(make).toThrow(message);
  });
});

interface Run {
  logs: TrainLog[];
  records: object[];
  adapter: Map<string, LoraWeights>;
  prepared: PreparedSftDataset;
}

interface RunOptions {
  rows?: DataRow[];
  prepared?: PreparedSftDataset;
  store?: Store;
  stopAfter?: number;
  resumeFrom?: string;
  collective?: Collective;
}

async function run(
  given: Partial<SFTConfig> = {},
  { rows, prepared, store, stopAfter, resumeFrom, collective }: RunOptions = {},
): Promise<Run> {
  // The ranks of a run share this device: each has a model of its own.
  using own = collective ? tinyModel(device) : undefined;
  using model = getPeftModel(own ?? base, lora, { seed: 3 });
  const trainer = new SFTTrainer({
    model,
    trainDataset: Dataset.from(rows ?? tinyDocuments(12)),
    evalDataset: Dataset.from(tinyDocuments(5)),
    ...(prepared && { prepared: { train: prepared } }),
    output: store,
    collective,
    args: { ...args, ...given },
  });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train({ ...(resumeFrom && { resumeFrom }) })) {
    logs.push(log);
    if (stopAfter !== undefined && log.step > stopAfter) break;
  }
  return { logs, records: trainer.progress.logHistory, adapter: await model.readAdapter(), prepared: await trainer.prepare() };
}

/** Largest and mean signed difference of losses and gradient norms. */
function expectSame(found: Run, expected: Run, tolerance: number): void {
  expect(found.logs).toHaveLength(expected.logs.length);
  for (const name of ["loss", "gradNorm"] as const) {
    const differences = found.logs.map((log, index) => log[name] - expected.logs[index]![name]);
    expect(Math.max(...differences.map(Math.abs)), name).toBeLessThan(tolerance);
    expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length), name).toBeLessThan(tolerance / 3);
  }
}
