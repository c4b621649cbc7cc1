import { memoryStore } from "@kto/core";
import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, PeftModel, readAdapter, type SavedEmbeddings } from "@kto/lora";
import { Qwen2ForCausalLM, type Qwen2Config } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../../testing/src/no-buffers-left.js";
import { KTOTrainer, type KTOConfig, type MemoryPlan } from "../index.js";

const config: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: 40,
  hiddenSize: 32,
  intermediateSize: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  headDim: 16,
  rmsNormEps: 1e-6,
  ropeTheta: 100,
  maxPositionEmbeddings: 16,
  tieWordEmbeddings: true,
  eosTokenId: undefined,
};
const scalings = {
  dynamic: { ropeType: "dynamic", factor: 4 },
  longrope: {
    ropeType: "longrope",
    factor: 16,
    shortFactor: [1, 1, 1, 1, 1, 1, 1, 1],
    longFactor: [1, 2, 3, 4, 5, 6, 7, 8],
    originalMaxPositionEmbeddings: 64,
    attentionFactor: 1.2,
  },
} as const;
const args: Partial<KTOConfig> = {
  perDeviceTrainBatchSize: 4,
  maxSteps: 2,
  learningRate: 1e-2,
  loggingSteps: 1,
  saveStrategy: "no",
  maxLength: 128,
};

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
expectNoBuffersLeft(() => device);

function model(given: Partial<Qwen2Config> = {}): Qwen2ForCausalLM {
  let seed = 1;
  const uniform = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  return Qwen2ForCausalLM.initialize({ ...config, ...given }, { device, random: () => 4 * (uniform() - 0.5), std: 0.3 });
}

const rows = (lengths: readonly number[]): DataRow[] =>
  lengths.map((length, row) => {
    const ids = Array.from({ length }, (_, position) => (row * 7 + position * 5) % 39);
    const cut = Math.ceil(length / 3);
    return { prompt_ids: ids.slice(0, cut), completion_ids: ids.slice(cut), label: row % 2 === 0 };
  });

interface Run {
  plan: MemoryPlan;
  /** Loss, log-probabilities and KL of each update. */
  numbers: number[];
}

async function train(ropeScaling: Qwen2Config["ropeScaling"], given: Partial<KTOConfig>, budgetBytes?: number): Promise<Run> {
  using base = model({ ropeScaling, maxPositionEmbeddings: ropeScaling ? 16 : 128 });
  await device.memory.trim();
  using adapted = getPeftModel(base, { r: 4, targetModules: "all-linear" }, { seed: 3 });
  const trainer = new KTOTrainer({
    model: adapted,
    trainDataset: Dataset.from(rows([90, 60, 120, 30, 100, 100, 20, 110])),
    args: { ...args, ...given },
  });
  device.memory.budgetBytes = budgetBytes;
  try {
    const planned = await trainer.plan();
    const numbers: number[] = [];
    for await (const { loss, metrics } of planned.train())
      numbers.push(loss, metrics["logps/chosen"]!, metrics["logps/rejected"]!, metrics["kl"]!);
    return { plan: planned.memory, numbers };
  } finally {
    device.memory.budgetBytes = undefined;
  }
}

const difference = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, index) => Math.abs(value - b[index]!)));

describe.each(["dynamic", "longrope"] as const)("positions that depend on the longest row: %s", (ropeType) => {
  test("are the same for a micro-batch in one pass and in several, and for layers that are run again", async () => {
    const whole = await train(scalings[ropeType], { gradientCheckpointing: false });
    const checkpointed = await train(scalings[ropeType], { gradientCheckpointing: true });
    expect(checkpointed.numbers).toEqual(whole.numbers);
    const { residentBytes, peakBytes } = checkpointed.plan;
    const split = await train(scalings[ropeType], { gradientCheckpointing: true }, residentBytes + 0.6 * (peakBytes - residentBytes));
    expect(split.plan.tokensPerPass).toBeLessThan(250);
    expect(split.plan.tokensPerPass).toBeLessThan(checkpointed.plan.tokensPerPass);
    expect(difference(split.numbers, whole.numbers)).toBeLessThan(2e-3);
    expect(difference((await train(undefined, {})).numbers, whole.numbers)).toBeGreaterThan(0.5);
  });
});

describe("an adapter that brings an embedding", () => {
  const embeddings: SavedEmbeddings = new Map([
    [
      "lm_head",
      {
        dtype: "F32",
        shape: [40, 32],
        data: new Uint8Array(Float32Array.from({ length: 1280 }, (_, i) => ((i * 7) % 13) / 16 - 0.4).buffer),
      },
    ],
  ]);

  async function adapter(base: Qwen2ForCausalLM, modulesToSave: string[] | null): Promise<PeftModel<Qwen2ForCausalLM>> {
    const fresh = getPeftModel(base, { r: 4, targetModules: ["q_proj"] }, { seed: 3 });
    const weights = await fresh.readAdapter();
    fresh.dispose();
    const adapted = new PeftModel(base);
    adapted.addAdapter({ r: 4, targetModules: ["q_proj"], modulesToSave }, { weights, embeddings });
    return adapted;
  }

  test("is trained on, saved with it in every checkpoint, and resumed bit for bit", async () => {
    const data = Dataset.from(rows([9, 6, 12, 5]));
    const given: Partial<KTOConfig> = { ...args, perDeviceTrainBatchSize: 2, saveStrategy: "steps", saveSteps: 1 };
    const store = memoryStore();
    using base = model();
    {
      using adapted = await adapter(base, null);
      const trainer = new KTOTrainer({ model: adapted, trainDataset: data, args: given, output: store });
      await trainer.train();
      await trainer.saveModel();
    }
    const first = await readAdapter(store, base);
    expect(first.embeddings).toEqual(embeddings);
    expect((await readAdapter(store.folder("checkpoint-1"), base)).embeddings).toEqual(embeddings);
    using resumed = await adapter(base, null);
    const trainer = new KTOTrainer({ model: resumed, trainDataset: data, args: given, output: store });
    await trainer.train({ resumeFrom: "checkpoint-1" });
    expect(await resumed.readAdapter()).toEqual(first.weights);
  });

  test("of one that peft would train in full is evaluated and not trained", async () => {
    using base = model();
    using adapted = await adapter(base, ["lm_head"]);
    const data = Dataset.from(rows([9, 6]));
    const trainer = new KTOTrainer({ model: adapted, trainDataset: data, evalDataset: data, args });
    await expect(trainer.plan()).rejects.toThrow(
      /modules that peft trains in full \(modules_to_save\).*got lm_head; merge it into its base/,
    );
    expect(Number.isFinite((await trainer.evaluate())["eval_loss"])).toBe(true);
  });
});
