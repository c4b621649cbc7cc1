import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type LoraWeights, type PeftModel } from "@kto/lora";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  DPOTrainer,
  KTOTrainer,
  SFTTrainer,
  type Collective,
  type DPOConfig,
  type KTOConfig,
  type LogRecord,
  type NamedModel,
  type TrainingConfig,
} from "../index.js";
import { meetingPlace } from "../testing/meeting-place.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";
import { tinyPairs } from "../testing/tiny-pairs.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

interface AnyTrainer {
  train(): PromiseLike<unknown>;
  progress: { logHistory: readonly LogRecord[] };
}

type MakeTrainer = (model: PeftModel<NamedModel>, args: Partial<TrainingConfig>, collective: Collective | undefined) => AnyTrainer;

interface Ran {
  history: readonly LogRecord[];
  adapter: Map<string, LoraWeights>;
}

const documents = (count: number): DataRow[] =>
  tinyRows(count).map((row) => ({ input_ids: [...(row["prompt_ids"] as number[]), ...(row["completion_ids"] as number[])] }));

const methods: Record<string, MakeTrainer> = {
  DPO: (model, args, collective) => new DPOTrainer({ model, args, collective, prepared: { train: tinyPairs(12), eval: tinyPairs(7) } }),
  SFT: (model, args, collective) =>
    new SFTTrainer({
      model,
      args,
      collective,
      trainDataset: Dataset.from(documents(12)),
      evalDataset: Dataset.from(documents(7)),
    }),
  apo_zero_unpaired: (model, args, collective) => kto(model, { ...args, lossType: "apo_zero_unpaired" }, collective),
  kto: (model, args, collective) => kto(model, args, collective),
};

function kto(model: PeftModel<NamedModel>, args: Partial<KTOConfig>, collective: Collective | undefined): AnyTrainer {
  return new KTOTrainer({ model, args, collective, trainDataset: Dataset.from(tinyRows(12)), evalDataset: Dataset.from(tinyRows(7)) });
}

async function run(method: string, given: Partial<DPOConfig & KTOConfig>, collective?: Collective): Promise<Ran> {
  using base = tinyModel(device);
  using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  const trainer = methods[method]!(
    model,
    { perDeviceTrainBatchSize: 2, numTrainEpochs: 2, learningRate: 1e-2, loggingSteps: 1, saveStrategy: "no", maxLength: 16, ...given },
    collective,
  );
  await trainer.train();
  return { history: trainer.progress.logHistory, adapter: await model.readAdapter() };
}

/** All ranks of a run, which must have come to the same. */
async function onRanks(size: number, method: string, given: Partial<DPOConfig & KTOConfig> = {}): Promise<Ran> {
  const [first, ...others] = await Promise.all(meetingPlace(size).ranks.map((collective) => run(method, given, collective)));
  for (const other of others) {
    expect(other.adapter).toEqual(first!.adapter);
    expect(numbersOf(other)).toEqual(numbersOf(first!));
  }
  return first!;
}

/** The log but for speeds, and operations, which count the padding of each micro-batch. */
function numbersOf({ history }: Ran): LogRecord[] {
  return history.map((record) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !/runtime|per_second|total_flos/.test(name))),
  );
}

function farthest(a: Ran["adapter"], b: Ran["adapter"]): number {
  let most = 0;
  for (const [path, of] of a)
    for (const side of ["a", "b"] as const)
      of[side].forEach((value, index) => (most = Math.max(most, Math.abs(value - b.get(path)![side][index]!))));
  return most;
}

describe.each([2, 3])("%i ranks", (size) => {
  test.each(["DPO", "SFT", "apo_zero_unpaired"])("of %s come to what one with as large a batch comes to", async (method) => {
    const ranks = await onRanks(size, method);
    const one = await run(method, { perDeviceTrainBatchSize: 2 * size });
    expect(ranks.history).toHaveLength(one.history.length);
    for (const [index, record] of numbersOf(ranks).entries())
      for (const [name, value] of Object.entries(record)) {
        const expected = one.history[index]![name]!;
        expect(Math.abs(value - expected), `${name} of record ${index}: ${value} and ${expected}`).toBeLessThan(
          1e-4 * Math.max(1, Math.abs(expected)),
        );
      }
    expect(farthest(ranks.adapter, one.adapter)).toBeLessThan(2e-4);
    expect(one.history.at(-2)!["loss"]).toBeLessThan(one.history[0]!["loss"]!);
  });

  test.each(["DPO", "SFT", "kto"])("evaluate %s as one does", async (method) => {
    const evaluated = { maxSteps: 1, learningRate: 0, evalStrategy: "steps", evalSteps: 1, perDeviceEvalBatchSize: 2 } as const;
    const evaluation = (ran: Ran): LogRecord => numbersOf(ran).find((record) => "eval_loss" in record)!;
    const found = evaluation(await onRanks(size, method, evaluated));
    const expected = evaluation(await run(method, evaluated));
    expect(Object.keys(found)).toEqual(Object.keys(expected));
    const { eval_num_tokens: _tokens, epoch: _epoch, ...numbers } = expected; // of the training before
    expect(found).toMatchObject(numbers);
  });

  test.each(["DPO", "kto"])("share what the reference of %s says beforehand", async (method) => {
    const precomputed = await onRanks(size, method, { precomputeRefLogProbs: true });
    const asked = await onRanks(size, method);
    const losses = ({ history }: Ran): number[] => history.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    losses(precomputed).forEach((loss, index) => expect(loss).toBeCloseTo(losses(asked)[index]!, 5));
    expect(farthest(precomputed.adapter, asked.adapter)).toBeLessThan(2e-4);
  });

  test("come to the same bits again", async () => {
    expect((await onRanks(size, "kto")).adapter).toEqual((await onRanks(size, "kto")).adapter);
  });
});

describe("what ranks say to each other", () => {
  const counted = async (
    size: number,
    method: string,
    given: Partial<DPOConfig & KTOConfig>,
  ): Promise<{ sums: number; gathers: number }> => {
    const { ranks, calls } = meetingPlace(size);
    await Promise.all(ranks.map((collective) => run(method, { maxSteps: 4, loggingSteps: 2, ...given }, collective)));
    return calls;
  };

  test("is nothing where there is one", async () => {
    expect(await counted(1, "kto", { evalStrategy: "steps", precomputeRefLogProbs: true })).toEqual({ sums: 0, gathers: 0 });
  });

  // Before the run: whether its output may be used, whether it is the same on all, whether it begins, and whether anybody is to hold it up. Then a question after
  // each update, and the metrics of two updates in one; KTO needs the estimate of the others before the loss of each micro-batch.
  test.each([
    ["DPO", {}, { sums: 4, gathers: 4 + 4 + 2 }],
    ["DPO", { gradientAccumulationSteps: 2 }, { sums: 4, gathers: 4 + 4 + 2 }],
    ["kto", {}, { sums: 4, gathers: 4 + 4 + 2 + 4 }],
  ])("of %s with %j is counted", async (method, given, expected) => expect(await counted(2, method, given)).toEqual(expected));
});
