import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GenerationEngine, type RowRequest } from "../index.js";
import { answeredPrompts, greedySampling, idsOf } from "../testing/rows.js";

let device: Device;
let model: DecoderForCausalLM;

beforeAll(async () => {
  device = await requestDevice();
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

function request(
  promptIds: number[],
  { maxNewTokens = 64, eosTokenIds = [], ...sampling }: Partial<RowRequest & RowRequest["sampling"]> = {},
): RowRequest {
  return { promptIds, maxNewTokens, eosTokenIds, sampling: { ...greedySampling, ...sampling } };
}

describe("greedy ids are those of transformers", () => {
  it("all prompts together, with and without a repetition penalty", async () => {
    using engine = new GenerationEngine(model, { maxRows: 16 });
    const rows = answeredPrompts.flatMap((one) => [
      { row: engine.start(request(one.prompt_ids)), expected: one.greedy },
      { row: engine.start(request(one.prompt_ids, { repetitionPenalty: 1.1 })), expected: one["repetition_penalty_1.1"] },
    ]);
    for (const { row, expected } of rows) {
      const ids = await idsOf(row);
      expect(ids).toHaveLength(64);
      expect(ids.slice(0, expected.trusted)).toEqual(expected.ids.slice(0, expected.trusted));
      expect(row.finishReason).toBe("length");
    }
  });
});

it("a model whose embedding is on the host brings it back for the ids that are drawn there", async () => {
  const { prompt_ids: promptIds, greedy } = answeredPrompts[0]!;
  await model.offloadEmbedding();
  using engine = new GenerationEngine(model, { maxRows: 4 });
  expect((await idsOf(engine.start(request(promptIds)))).slice(0, greedy.trusted)).toEqual(greedy.ids.slice(0, greedy.trusted));
});

describe("room in the cache", () => {
  const prompt = (length: number, seed: number): number[] => Array.from({ length }, (_, index) => 1 + ((index * 7 + seed * 13) % 90));

  it("is counted in pages: rows that would fit by their tokens alone wait for one", async () => {
    using engine = new GenerationEngine(model, { maxRows: 8, maxCachedTokens: 4 * 64 });
    const rows = Array.from({ length: 6 }, (_, seed) => engine.start(request(prompt(8, seed), { maxNewTokens: 4 })));
    for (const row of rows) {
      expect(await idsOf(row)).toHaveLength(4);
      expect(row.finishReason).toBe("length");
    }
  });

  it("is made by forgetting other rows, the first first, and never the one that a prompt goes on from", async () => {
    using engine = new GenerationEngine(model, { maxRows: 8, maxCachedTokens: 4 * 64 });
    const ids = await idsOf(engine.start(request(prompt(80, 1), { maxNewTokens: 8 }))); // 2 pages are kept of it
    await idsOf(engine.start(request(prompt(8, 2), { maxNewTokens: 4 }))); // and 1 of this one
    const whole = engine.start(request([...prompt(80, 1), ...ids.slice(0, 4)], { maxNewTokens: 4 * 64 - 84 }));
    const next: number[] = [];
    for await (const id of whole) if (next.push(id) === 4) break;
    whole.finish("cancelled");
    expect(next).toEqual(ids.slice(4));
    expect(whole.numReused).toBe(83);
    const forgotten = engine.start(request(prompt(8, 2), { maxNewTokens: 4 }));
    expect(await idsOf(forgotten)).toHaveLength(4);
    expect(forgotten.numReused).toBe(0);
  });

  it("a row that is larger than the cache fails, and those after it are answered", async () => {
    using engine = new GenerationEngine(model, { maxRows: 8, maxCachedTokens: 64 });
    const row = engine.start(request(prompt(60, 1), { maxNewTokens: 20 }));
    await expect(idsOf(row)).rejects.toThrow(/the cache is full/);
    expect(await idsOf(engine.start(request(prompt(8, 2), { maxNewTokens: 4 })))).toHaveLength(4);
  });
});
