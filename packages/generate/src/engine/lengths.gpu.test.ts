import { readFileSync } from "node:fs";
import { Qwen2ForCausalLM, readQwen2Config } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { logSoftmax } from "../../../testing/src/oracle/top-log-probs.js";
import { GenerationEngine, type Row, type RowRequest } from "../index.js";
import { greedySampling } from "../testing/rows.js";

let device: Device;
let loaded: Qwen2ForCausalLM;
const { rope_theta: _theta, ...modelJson } = JSON.parse(readFileSync(fixturePath("model/config.json"), "utf8")) as Record<string, unknown>;

beforeAll(async () => {
  device = await requestDevice();
  loaded = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  loaded.dispose();
  device.dispose();
});

/** The fixture's weights with frequencies that depend on the length of a row, past the original one. */
function modelOf(ropeType: string, original: number): Qwen2ForCausalLM {
  const factors = {
    dynamic: { factor: 2 },
    longrope: {
      short_factor: [1, 1.02, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75],
      long_factor: [1, 1.2, 1.6, 2.2, 3, 4.5, 6, 8],
      original_max_position_embeddings: original,
    },
  }[ropeType];
  const rope = { rope_theta: 10_000, rope_type: ropeType, ...factors };
  const context = 4096;
  const config = readQwen2Config({
    ...modelJson,
    max_position_embeddings: ropeType === "dynamic" ? original : context,
    rope_parameters: rope,
  });
  const weights = new Map(Array.from(loaded.weights, ([name, weight]) => [name, weight.detach()]));
  const model = new Qwen2ForCausalLM(config, weights, { device, dtype: "f32" });
  return Object.defineProperty(model, "maxPositionEmbeddings", { value: context }); // dynamic goes on past those of the config
}

function request(promptLength: number, given: Partial<RowRequest> = {}): RowRequest {
  const promptIds = Array.from({ length: promptLength }, (_, at) => 1 + ((at * at * 3 + at * 7 + promptLength) % 480));
  const sampling = { ...greedySampling, repetitionPenalty: 1.2 };
  return { promptIds, maxNewTokens: 6, eosTokenIds: [], logprobs: 20, sampling, ...given };
}

async function ended(row: Row): Promise<Row> {
  for await (const id of row) expect(id).toBeLessThan(512);
  return row;
}

async function aloneOn(model: Qwen2ForCausalLM, one: RowRequest): Promise<Row> {
  using engine = new GenerationEngine(model, { maxRows: 1, maxCachedTokens: 2400 });
  return await ended(engine.start(one));
}

function expectSame(found: Row, expected: Row): void {
  expect(found.ids).toEqual(expected.ids);
  found.logprobs.forEach(({ logprob }, at) => expect(Math.abs(logprob - expected.logprobs[at]!.logprob)).toBeLessThan(1e-4));
}

/** Log-probabilities after the last token of a prompt that is computed whole and alone. */
async function logProbsAfter(model: Qwen2ForCausalLM, promptIds: readonly number[]): Promise<Float64Array> {
  const logits = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows([promptIds])))));
  const last = (await logits.read()).slice(-model.vocabSize);
  logits.dispose();
  return logSoftmax(last);
}

describe.each(["dynamic", "longrope"])("rows past the original length of %s", (ropeType) => {
  it("are rotated by their whole prompt, in pieces and among others", async () => {
    using model = modelOf(ropeType, 32);
    using engine = new GenerationEngine(model, { maxRows: 4, maxCachedTokens: 2400 });
    const requests = [20, 80, 2100].map((length) => request(length));
    const rows = await Promise.all(requests.map((one) => ended(engine.start(one))));
    for (const [index, row] of rows.entries()) {
      const expected = await logProbsAfter(model, row.request.promptIds);
      expect(row.logprobs[0]!.top).toHaveLength(20);
      for (const { id, logprob } of row.logprobs[0]!.top) expect(Math.abs(logprob - expected[id]!)).toBeLessThan(1e-4);
      if (index < 2) expectSame(row, await aloneOn(model, requests[index]!));
    }
  });

  it("go on from what is cached as far as it was rotated alike", async () => {
    using model = modelOf(ropeType, 32);
    using engine = new GenerationEngine(model, { maxRows: 1, maxCachedTokens: 2400 });
    const first = await ended(engine.start(request(20)));
    const longer = [...first.request.promptIds, ...first.ids, ...Array.from({ length: 20 }, (_, at) => 30 + at)]; // 46 tokens
    for (const [promptIds, numReused] of [
      [longer, 0],
      [[...longer, 7, 8, 9], { dynamic: 0, longrope: 46 }[ropeType]],
    ] as const) {
      const one = request(0, { promptIds });
      const row = await ended(engine.start(one));
      expectSame(row, await aloneOn(model, one));
      expect(row.numReused).toBe(numReused);
    }
  });

  it("that were put back are rotated as before", async () => {
    using model = modelOf(ropeType, 185);
    const requests = [63, 62].map((length) => request(length, { maxNewTokens: 140 }));
    using engine = new GenerationEngine(model, { maxRows: 2, maxCachedTokens: 6 * 64 });
    const rows = await Promise.all(requests.map((one) => ended(engine.start(one))));
    expectSame(rows[1]!, await aloneOn(model, requests[1]!));
    expect(rows[1]!.given.length).toBeGreaterThan(185); // computed again up to there
  });
});
