import { Dataset, randperm, type DataRow } from "@kto/datasets";
import { dpoLossPlain } from "@kto/losses/plain";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { openCheckpoint } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { finalAdapterFailures, finalAdapterTolerance, trajectoryFailures } from "@kto/testing/workspace";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dpoConfig, DPOTrainer, ktoConfig, KTOTrainer, sftConfig, SFTTrainer, type Collective, type ScoredRow } from "../index.js";
import { float64Weights, type Float64Weights } from "../testing/float64-decoder.js";
import { frozen, ktoInFloat64, rowLogProbs, trainInFloat64, type Float64Log, type Float64Run } from "../testing/float64-loop.js";
import { meetingPlace } from "../testing/meeting-place.js";

/** Several ranks against one float64 loop that deals out rows as accelerate's BatchSamplerShard does and averages KL as trl's gather does. */
const numUpdates = 6;
const args = {
  maxSteps: numUpdates,
  learningRate: 4e-3,
  adamEpsilon: 1e-5, // so that the noise of a gradient that is 0, as that of the keys' biases, stays noise
  lrSchedulerType: "constant",
  perDeviceTrainBatchSize: 2,
  loggingSteps: 1,
  saveStrategy: "no",
  gradientCheckpointing: false,
} as const;

const folder = fileURLToPath(new URL("../../../../examples/quickstart/model", import.meta.url));

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

/** [update][index][rank][row]: whole batches go round; at the end of an epoch they go on with its first rows until every rank has as many. */
function deal<Row>(
  rows: readonly Row[],
  { size, accumulate, order }: { size: number; accumulate: number; order?(epoch: number): ArrayLike<number> },
): Row[][][][] {
  const batch = args.perDeviceTrainBatchSize;
  const turns = Math.ceil(rows.length / (batch * size));
  const updatesPerEpoch = Math.ceil(turns / accumulate);
  return Array.from({ length: numUpdates }, (_, update) => {
    const epoch = Math.floor(update / updatesPerEpoch);
    const indices = order?.(epoch) ?? rows.map((_row, index) => index);
    const first = (update % updatesPerEpoch) * accumulate;
    return Array.from({ length: Math.min(accumulate, turns - first) }, (_turn, index) =>
      Array.from({ length: size }, (_rank, rank) =>
        Array.from({ length: batch }, (_row, row) => rows[indices[(((first + index) * size + rank) * batch + row) % rows.length]!]!),
      ),
    );
  });
}

interface RankTrainer extends Disposable {
  train(): PromiseLike<unknown>;
  progress: { logHistory: readonly Record<string, number>[] };
}

/** Trains on so many ranks, each with a model of its own, and holds the log and every weight of all of them to the float64 loop's. */
async function expectAsInFloat64<Row extends ScoredRow>(
  size: number,
  make: (model: Qwen2ForCausalLM, collective: Collective) => RankTrainer,
  run: (weights: Float64Weights, config: Qwen2ForCausalLM["config"]) => Omit<Float64Run<Row>, "weights" | "config">,
): Promise<Record<string, number>[]> {
  const models: Qwen2ForCausalLM[] = [];
  for (let rank = 0; rank < size; rank++)
    models.push(await Qwen2ForCausalLM.fromPretrained(fileDirectory(folder), { device, trainable: true }));
  const trainers = meetingPlace(size).ranks.map((collective, rank) => make(models[rank]!, collective));
  try {
    await using checkpoint = await openCheckpoint(fileDirectory(folder));
    const weights = await float64Weights(checkpoint);
    const { config } = models[0]!;
    const replay = run(weights, config);
    await Promise.all(trainers.map((trainer) => trainer.train()));
    const expected = trainInFloat64({ weights, config, ...replay });
    const tensors = new Map(Array.from(weights, ([name, { data }]) => [name, Float32Array.from(data)]));
    for (const [rank, model] of models.entries()) {
      const log = trainers[rank]!.progress.logHistory.filter(({ loss }) => loss !== undefined);
      expect(trajectoryFailures(log as Float64Log[], expected, {})).toEqual([]);
      const found = new Map<string, Float32Array>();
      for (const [name, weight] of model.weights) found.set(name, (await weight.read()) as Float32Array);
      expect(finalAdapterFailures(found, { tensors }, finalAdapterTolerance(0))).toEqual([]);
    }
    return trainers[0]!.progress.logHistory.filter(({ loss }) => loss !== undefined);
  } finally {
    for (const trainer of trainers) trainer[Symbol.dispose]();
    for (const model of models) model.dispose();
  }
}

const prompt = (row: number): number[] => [2, 7 + (row % 10), 5];
const answer = (row: number, shift: number): number[] => [
  7 + ((row + shift) % 7),
  6,
  3,
  7 + ((row * shift) % 9),
  ...(row % 3 === 0 ? [7 + (row % 4)] : []),
  4,
];

describe.each([
  // 7 rows in batches of 2: on two ranks one row is missing at the end of an epoch, on three five, so that KL is that of the first rank alone
  { size: 2, accumulate: 1 },
  { size: 3, accumulate: 2 },
])("$size ranks, $accumulate micro-batches each", ({ size, accumulate }) => {
  test("KTO", async () => {
    const kto = ktoConfig({ ...args, gradientAccumulationSteps: accumulate, beta: 0.5, desirableWeight: 1.25 });
    const batch = kto.perDeviceTrainBatchSize;
    const rows = Array.from({ length: 7 }, (_, row) => ({
      promptIds: prompt(row),
      completionIds: answer(row, 1 + (row % 2)),
      label: row % 2 === 0,
    }));
    const trainDataset = Dataset.from(
      rows.map(({ promptIds, completionIds, label }): DataRow => ({ prompt_ids: promptIds, completion_ids: completionIds, label })),
    );
    const borrowed = rows.map(({ promptIds }, row) => {
      const first = row - (row % batch);
      const last = Math.min(first + batch, rows.length) - 1;
      return { promptIds, completionIds: rows[row === first ? last : row - 1]!.completionIds };
    });
    const log = await expectAsInFloat64<(typeof rows)[number]>(
      size,
      (model, collective) => new KTOTrainer({ model, args: kto, trainDataset, collective }),
      (weights, config) => {
        const reference = frozen(weights);
        const dealt = deal(rows, { size, accumulate });
        return {
          args: kto,
          updates: dealt.map((update) => update.flat()),
          lossOf(logProbs, ofRank, update) {
            const turns = dealt.find((of) => of.flat().every((each, index) => each === update[index]))!;
            const turn = turns.find((ranks) => ranks.includes(ofRank as (typeof rows)[number][]))!;
            const updateIndex = dealt.indexOf(turns);
            const updatesPerEpoch = Math.ceil(Math.ceil(rows.length / (batch * size)) / accumulate);
            const left = rows.length % (batch * size);
            const isCut = (updateIndex + 1) % updatesPerEpoch === 0 && left > 0 && left < size;
            const kl = (isCut ? turn.slice(0, left) : turn).flat().map((row) => borrowed[rows.indexOf(row)]!);
            return ktoInFloat64(logProbs, {
              refLogProbs: rowLogProbs(reference, config, ofRank),
              policyKlLogProbs: rowLogProbs(weights, config, kl),
              refKlLogProbs: rowLogProbs(reference, config, kl),
              labels: ofRank.map(({ label }) => label),
              beta: kto.beta,
              desirableWeight: kto.desirableWeight,
              undesirableWeight: kto.undesirableWeight,
            });
          },
        };
      },
    );
    expect(Math.max(...log.map((record) => record["kl"]!))).toBeGreaterThan(0.05); // so that another estimate would show
  });

  test("DPO", async () => {
    const dpo = dpoConfig({ ...args, gradientAccumulationSteps: accumulate, beta: 0.5, trainSamplingStrategy: "sequential" });
    const pairs = Array.from(
      { length: 7 },
      (_, row) =>
        [answer(row, 1), answer(row, 2)].map((completionIds): ScoredRow => ({ promptIds: prompt(row), completionIds })) as [
          ScoredRow,
          ScoredRow,
        ],
    );
    const trainDataset = Dataset.from(
      pairs.map(([chosen, rejected]): DataRow => ({
        prompt_ids: chosen.promptIds,
        chosen_ids: chosen.completionIds,
        rejected_ids: rejected.completionIds,
      })),
    );
    await expectAsInFloat64(
      size,
      (model, collective) => new DPOTrainer({ model, args: dpo, trainDataset, collective }),
      (weights, config) => {
        const reference = frozen(weights);
        return {
          args: dpo,
          updates: deal(pairs, { size, accumulate }).map((update) => update.flat().map((ofRank) => ofRank.flat())),
          lossOf(logProbs, answers) {
            const sums = logProbs.map((tokens) => tokens.reduce((total, value) => total + value, 0));
            const ofReference = rowLogProbs(reference, config, answers);
            const side = <T>(values: readonly T[], offset: 0 | 1): T[] => values.filter((_, index) => index % 2 === offset);
            const found = dpoLossPlain({
              policyChosenLogProbs: side(sums, 0),
              policyRejectedLogProbs: side(sums, 1),
              refChosenLogProbs: side(ofReference, 0),
              refRejectedLogProbs: side(ofReference, 1),
              lossType: "sigmoid",
              beta: dpo.beta,
            });
            const slopes = [found.chosenGradient, found.rejectedGradient];
            return { loss: found.loss, gradients: logProbs.map((tokens, row) => tokens.map(() => slopes[row % 2]![row >> 1]!)) };
          },
        };
      },
    );
  });

  test("SFT, in a shuffled order, by tokens", async () => {
    const sft = sftConfig({ ...args, gradientAccumulationSteps: accumulate, seed: 5 });
    const rows = Array.from({ length: 7 }, (_, row): ScoredRow => ({ promptIds: [], completionIds: [...prompt(row), ...answer(row, 1)] }));
    const trainDataset = Dataset.from(rows.map(({ completionIds }): DataRow => ({ input_ids: completionIds })));
    await expectAsInFloat64(
      size,
      (model, collective) => new SFTTrainer({ model, args: sft, trainDataset, collective }),
      () => ({
        args: sft,
        updates: deal(rows, { size, accumulate, order: (epoch) => randperm(rows.length, 5 + epoch) }).map((update) => update.flat()),
        lossOf(logProbs, _batch, update) {
          const numScored = update.flat().reduce((total, { completionIds }) => total + completionIds.length - 1, 0);
          const share = update.length / numScored; // of the mean over all tokens of the update, on all ranks
          const sum = logProbs.flat().reduce((total, value) => total + value, 0);
          return { loss: -share * sum, gradients: logProbs.map((tokens) => tokens.map(() => -share)) };
        },
      }),
    );
  });
});
