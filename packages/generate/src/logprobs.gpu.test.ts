import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { logSoftmax } from "../../testing/src/oracle/top-log-probs.js";
import { generate, type GenerateOptions, type GenerationResult, TextGenerator } from "./index.js";

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

const inputIds = [491, 489, 440, 401, 314, 317, 291, 64, 6, 435, 441, 30, 490, 493, 198];
const drawn: GenerateOptions = { inputIds, temperature: 1.3, topK: 30, repetitionPenalty: 1.2, seed: 3, maxNewTokens: 9, eosTokenId: [] };
const likeliest: GenerateOptions = { inputIds, doSample: false, maxNewTokens: 9, eosTokenId: [] };

/** log softmax in float64 of the logits of one forward pass over prompt and answer, at the places that answer. */
async function wholeLogProbs(ids: readonly number[]): Promise<Float64Array[]> {
  const logits = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows([[...inputIds, ...ids]])))));
  const values = (await logits.read()) as Float32Array;
  logits.dispose();
  return ids.map((_, place) => {
    const start = (inputIds.length - 1 + place) * model.vocabSize;
    return logSoftmax(values.subarray(start, start + model.vocabSize));
  });
}

async function expectLogProbs({ ids, logprobs }: GenerationResult, numTop: number): Promise<void> {
  expect(logprobs!.map(({ id }) => id)).toEqual(ids);
  const rows = await wholeLogProbs(ids);
  for (const [place, { id, logprob, top }] of logprobs!.entries()) {
    const row = rows[place]!;
    expect(Math.abs(logprob - row[id]!)).toBeLessThan(1e-5);
    const order = Array.from(row.keys()).sort((a, b) => row[b]! - row[a]!);
    expect(top.map((one) => one.id)).toEqual(order.slice(0, numTop));
    for (const one of top) expect(Math.abs(one.logprob - row[one.id]!)).toBeLessThan(1e-5);
  }
}

describe("log-probabilities are those of the whole forward pass", () => {
  it("of drawn and of likeliest tokens, among rows that do not ask or ask for other numbers", async () => {
    using generator = new TextGenerator(model, { maxRows: 8 });
    const requests = [{ ...drawn, logprobs: 4 }, drawn, { ...likeliest, logprobs: 20 }, { ...drawn, seed: 4, logprobs: 0 }, likeliest];
    const results = await Promise.all(requests.map((options) => generator.generate(options).result));
    for (const [index, { logprobs: numTop }] of requests.entries()) {
      if (numTop === undefined) expect(results[index]).not.toHaveProperty("logprobs");
      else await expectLogProbs(results[index]!, numTop);
    }
    expect(results[0]!.ids).toEqual(results[1]!.ids); // asking draws nothing else
    expect(results[2]!.ids).toEqual(results[4]!.ids);
    expect(results[2]!.logprobs!.every(({ logprob, top }) => logprob === top[0]!.logprob)).toBe(true);
  });

  it("in pieces as in the result, the end token included", async () => {
    const { ids } = await generate(model, likeliest).result;
    const end = ids.findIndex((id, index) => index >= 3 && !ids.slice(0, index).includes(id));
    const generation = generate(model, { ...likeliest, logprobs: 2, eosTokenId: ids[end]! });
    const pieces = [];
    for await (const piece of generation) {
      expect(piece.logprobs!.map(({ id }) => id)).toEqual(piece.ids);
      pieces.push(...piece.logprobs!);
    }
    const result = await generation.result;
    expect(result).toMatchObject({ ids: ids.slice(0, end + 1), finishReason: "stop", logprobs: pieces });
    await expectLogProbs(result, 2);
  });

  it("and leave no memory behind", async () => {
    const before = device.memory.info().liveStorages;
    await generate(model, { ...drawn, logprobs: 3 }).result;
    expect(device.memory.info().liveStorages).toBe(before);
  });
});

it.each([-1, 21, 1.5, Number.NaN])("logprobs: %s is refused", (logprobs) => {
  expect(() => generate(model, { ...likeliest, logprobs })).toThrow(
    `generate: logprobs is not usable; expected a whole number from 0 to 20, got ${logprobs}`,
  );
});
