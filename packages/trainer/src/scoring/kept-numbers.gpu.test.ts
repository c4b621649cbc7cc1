import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DPOTrainer, KTOTrainer, type DPOConfig, type KTOConfig, type TokenCache, type TrainerEvent, type TrainLog } from "../index.js";
import { tinyPairs } from "../testing/tiny-pairs.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

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

/** A cache in memory, by the text of its keys. */
class MemoryCache implements TokenCache {
  readonly entries = new Map<string, Uint8Array>();
  numDiscarded = 0;
  isFull = false;

  open(key: Parameters<TokenCache["open"]>[0]): ReturnType<TokenCache["open"]> {
    const index = this.entries.get(key.map(String).join("|"));
    return Promise.resolve(index && { ...this.#entry(index), read: () => new Uint8Array() });
  }

  create(key: Parameters<TokenCache["open"]>[0]): ReturnType<TokenCache["create"]> {
    const read = (): Uint8Array => new Uint8Array();
    return Promise.resolve({
      read,
      append: () => undefined,
      finish: (index) => {
        if (this.isFull) return Promise.reject(new Error("the disk is full"));
        this.entries.set(key.map(String).join("|"), index.slice());
        return Promise.resolve({ ...this.#entry(index), read });
      },
      discard: () => void this.numDiscarded++,
    });
  }

  #entry(index: Uint8Array): { index: Uint8Array; facts: string; place: string; byteLength: number } {
    return { index, facts: "{}", place: "memory", byteLength: index.byteLength };
  }
}

interface Run {
  numbers: unknown;
  /** Whether the reference was asked, and what was said of the cache. */
  isComputed: boolean;
  hits: boolean[];
  problems: (string | undefined)[];
}

interface Setting {
  args?: Partial<KTOConfig>;
  rows?: DataRow[];
  /** Trained before by this. */
  given?: number;
  model?: Qwen2ForCausalLM;
}

async function run(
  cache: TokenCache | undefined,
  { args = {}, rows = tinyRows(10), given = 0, model: of = base }: Setting = {},
): Promise<Run> {
  using model = getPeftModel(of, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  if (given > 0)
    model.writeAdapter(
      new Map(Array.from(await model.readAdapter(), ([name, { a, b }]) => [name, { a, b: b.map((_, i) => given * ((i % 7) - 3)) }])),
    );
  const events: TrainerEvent[] = [];
  const trainer = new KTOTrainer({
    model,
    trainDataset: Dataset.from(rows),
    referenceCache: cache,
    args: {
      perDeviceTrainBatchSize: 4,
      maxSteps: 3,
      learningRate: 1e-2,
      loggingSteps: 1,
      saveStrategy: "no",
      precomputeRefLogProbs: true,
      ...args,
    },
    onEvent: (event) => events.push(event),
  });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train()) logs.push(log);
  const kept = events.filter((event) => event.type === "referenceCache");
  return {
    numbers: logs.map(({ loss, gradNorm, metrics }) => ({ loss, gradNorm, metrics })),
    isComputed: events.some(({ type }) => type === "precompute"),
    hits: kept.map(({ isHit }) => isHit),
    problems: kept.map(({ problem }) => problem),
  };
}

describe("what the reference says of rows", () => {
  it("is computed once and then taken from the cache, to the bit", async () => {
    const cache = new MemoryCache();
    const first = await run(cache);
    const second = await run(cache);
    expect(first).toMatchObject({ isComputed: true, hits: [false] });
    expect(second).toMatchObject({ isComputed: false, hits: [true] });
    expect(second.numbers).toEqual(first.numbers);
    expect((await run(undefined)).numbers).toEqual(first.numbers);
    expect((first.numbers as { loss: number }[])[0]!.loss).toBe(0.5);
    expect(cache.entries.size).toBe(1);
  });

  it.each<[string, Setting]>([
    ["other rows", { rows: tinyRows(12) }],
    [
      "a label that matters not, but an id that does",
      { rows: tinyRows(10).map((row, index) => (index === 7 ? { ...row, completion_ids: [36, 36] } : row)) },
    ],
    ["an adapter that was trained", { given: 0.01 }],
    ["batches of another size", { args: { precomputeRefBatchSize: 3 } }],
    ["passes of their own", { args: { sharedPrompts: false } }],
    ["another loss", { args: { lossType: "apo_zero_unpaired" } }],
  ])("is another thing for %s", async (_, setting) => {
    const cache = new MemoryCache();
    await run(cache);
    const other = await run(cache, setting);
    expect(other).toMatchObject({ isComputed: true, hits: [false] });
    expect(other.numbers).toEqual((await run(undefined, setting)).numbers);
    expect(await run(cache, setting)).toMatchObject({ isComputed: false, numbers: other.numbers });
  });

  it("is another thing for a model of which one weight is another", async () => {
    const cache = new MemoryCache();
    await run(cache);
    using model = tinyModel(device);
    const norm = model.weights.get("model.layers.1.input_layernorm.weight")!;
    device.writeBytes(norm, new Uint8Array(Float32Array.of(1.5).buffer));
    expect(await run(cache, { model })).toMatchObject({ isComputed: true, hits: [false] });
  });

  it("of an entry that is cut off is computed anew", async () => {
    const cache = new MemoryCache();
    const first = await run(cache);
    for (const [key, index] of cache.entries) cache.entries.set(key, index.slice(4));
    const second = await run(cache);
    expect(second).toMatchObject({ isComputed: true, hits: [false], numbers: first.numbers });
  });

  it("is used though it cannot be kept, and that is said", async () => {
    const cache = new MemoryCache();
    cache.isFull = true;
    const found = await run(cache);
    expect(found).toMatchObject({ isComputed: true, problems: ["the disk is full"], numbers: (await run(undefined)).numbers });
    expect(cache.numDiscarded).toBe(1);
  });

  it("is kept of pairs too", async () => {
    const cache = new MemoryCache();
    const train = async (): Promise<[unknown, boolean]> => {
      using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
      const args: Partial<DPOConfig> = {
        perDeviceTrainBatchSize: 4,
        maxSteps: 2,
        learningRate: 1e-2,
        loggingSteps: 1,
        saveStrategy: "no",
        precomputeRefLogProbs: true,
      };
      let isHit = false;
      const onEvent = (event: TrainerEvent): void => void (isHit ||= event.type === "referenceCache" && event.isHit);
      const trainer = new DPOTrainer({ model, prepared: { train: tinyPairs(8) }, args, referenceCache: cache, onEvent });
      const losses: number[] = [];
      for await (const { loss } of trainer.train()) losses.push(loss);
      return [losses, isHit];
    };
    const [first, second] = [await train(), await train()];
    expect(first[1]).toBe(false);
    expect(second).toEqual([first[0], true]);
  });
});
