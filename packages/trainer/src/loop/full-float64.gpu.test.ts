import { Dataset, type DataRow } from "@kto/datasets";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { openCheckpoint } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { finalAdapterFailures, finalAdapterTolerance, fixturePath, readFixtureJsonl, trajectoryFailures } from "@kto/testing/workspace";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ktoConfig, KTOTrainer, sftConfig, SFTTrainer, type KtoRow, type ScoredRow, type TrainingConfig } from "../index.js";
import { float64Weights, type Float64Weights } from "../testing/float64-decoder.js";
import { frozen, ktoInFloat64, rowLogProbs, trainInFloat64, type Float64Log } from "../testing/float64-loop.js";

/** Both training loops over 20 updates: the rule of fixtures/README.md, by its floors. */
const numUpdates = 20;
const args = {
  maxSteps: numUpdates,
  learningRate: 1e-3,
  lrSchedulerType: "constant",
  weightDecay: 0.1,
  loggingSteps: 1,
  saveStrategy: "no",
  gradientCheckpointing: false,
} as const;

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const quickstart = fileURLToPath(new URL("../../../../examples/quickstart/model", import.meta.url));

const load = (folder: string): Promise<Qwen2ForCausalLM> =>
  Qwen2ForCausalLM.fromPretrained(fileDirectory(folder), { device, trainable: true });

async function inFloat64(folder: string): Promise<Float64Weights> {
  await using checkpoint = await openCheckpoint(fileDirectory(folder));
  return await float64Weights(checkpoint);
}

/** Every weight of the model against the float64 loop's. */
async function expectSameWeights(model: Qwen2ForCausalLM, expected: Float64Weights): Promise<void> {
  const found = new Map<string, Float32Array>();
  for (const [name, weight] of model.weights) found.set(name, (await weight.read()) as Float32Array);
  const tensors = new Map(Array.from(expected, ([name, { data }]) => [name, Float32Array.from(data)]));
  expect(finalAdapterFailures(found, { tensors }, finalAdapterTolerance(0))).toEqual([]);
}

/** Micro-batches of each update, in the order of the data. */
function inUpdates<Row>(
  rows: readonly Row[],
  { perDeviceTrainBatchSize: size, gradientAccumulationSteps: count }: TrainingConfig,
): Row[][][] {
  const at = (index: number): Row => rows[index % rows.length]!;
  return Array.from({ length: numUpdates }, (_, update) =>
    Array.from({ length: count }, (_batch, batch) =>
      Array.from({ length: size }, (_row, row) => at((update * count + batch) * size + row)),
    ),
  );
}

const logOf = (history: readonly Record<string, number>[]): Float64Log[] =>
  history.filter(({ loss }) => loss !== undefined) as Float64Log[];

test("supervised, a tied head: loss, gradient norm and every weight of a float64 loop over 20 updates", async () => {
  using model = await load(quickstart);
  const weights = await inFloat64(quickstart);
  const rows = Array.from({ length: 12 }, (_, row): ScoredRow => {
    const ids = [2, 7 + (row % 10), 5, 7 + (row % 7), 6, 3, 7 + (row % 9), ...(row % 3 === 0 ? [7 + (row % 4)] : []), 4];
    return { promptIds: [], completionIds: ids };
  });
  const sft = sftConfig({ ...args, perDeviceTrainBatchSize: 3, gradientAccumulationSteps: 2, trainSamplingStrategy: "sequential" });
  const trainDataset = Dataset.from(rows.map(({ completionIds }): DataRow => ({ input_ids: completionIds })));
  const trainer = new SFTTrainer({ model, args: sft, trainDataset });
  await trainer.train();
  const expected = trainInFloat64({
    weights,
    config: model.config,
    args: sft,
    updates: inUpdates(rows, sft),
    lossOf(logProbs, _batch, update) {
      const numScored = update.flat().reduce((total, { completionIds }) => total + completionIds.length - 1, 0);
      const share = update.length / numScored; // of the mean over all tokens of the update
      const sum = logProbs.flat().reduce((total, value) => total + value, 0);
      return { loss: -share * sum, gradients: logProbs.map((tokens) => tokens.map(() => -share)) };
    },
  });
  expect(trajectoryFailures(logOf(trainer.progress.logHistory), expected, {})).toEqual([]);
  await expectSameWeights(model, weights);
  expect(expected.at(-1)!.loss).toBeLessThan(0.5 * expected[0]!.loss);
});

test("KTO, a head of its own: loss, gradient norm and every weight of a float64 loop over 20 updates", async () => {
  using model = await load(fixturePath("model"));
  const weights = await inFloat64(fixturePath("model"));
  const kto = ktoConfig({ ...args, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 1, desirableWeight: 1.25 });
  const rows = readFixtureJsonl<DataRow & { prompt_ids: number[]; completion_ids: number[] }>("kto", "tokenized", "main.jsonl")
    .filter(({ prompt_ids: prompt, completion_ids: completion }) => prompt.length + completion.length < 40)
    .slice(0, 8)
    .map(({ prompt_ids, completion_ids, label }) => ({ prompt_ids, completion_ids, label }));
  const trainer = new KTOTrainer({ model, args: kto, trainDataset: Dataset.from<DataRow>(rows) });
  const prepared = (await trainer.prepare()).rows;
  await trainer.train();
  const { config } = model;
  const reference = frozen(weights);
  const mismatched = (batch: readonly KtoRow[]): ScoredRow[] =>
    batch.map(({ promptIds, klCompletionIds }) => ({ promptIds, completionIds: klCompletionIds! }));
  const expected = trainInFloat64({
    weights,
    config,
    args: kto,
    updates: inUpdates([...prepared], kto),
    lossOf: (logProbs, batch) =>
      ktoInFloat64(logProbs, {
        refLogProbs: rowLogProbs(reference, config, batch),
        policyKlLogProbs: rowLogProbs(weights, config, mismatched(batch)),
        refKlLogProbs: rowLogProbs(reference, config, mismatched(batch)),
        labels: batch.map(({ label }) => label),
        beta: kto.beta,
        desirableWeight: kto.desirableWeight,
        undesirableWeight: kto.undesirableWeight,
      }),
  });
  expect(logOf(trainer.progress.logHistory)[0]!.loss).toBe((1.25 + 1) / 4);
  expect(trajectoryFailures(logOf(trainer.progress.logHistory), expected, {})).toEqual([]);
  await expectSameWeights(model, weights);
});
