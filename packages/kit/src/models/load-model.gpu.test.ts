import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate, type GenerateOptions, type GenerationResult } from "@kto/generate";
import { getChatTemplate } from "@kto/tokenizer";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJsonl } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAdapter, loadModel } from "../index.js";

interface Greedy {
  prompt: { role: string; content: string }[];
  greedy: { ids: number[] };
}
const [{ prompt: messages, greedy }] = readFixtureJsonl<Greedy>("generation/greedy.jsonl") as [Greedy];
const EOS = 488;

let device: Device;
let folder: string;
beforeAll(async () => {
  device = await requestDevice();
  folder = mkdtempSync(join(tmpdir(), "kto-model-"));
});
afterAll(() => {
  device.dispose();
  rmSync(folder, { recursive: true });
});

/** The fixture's model with another `generation_config.json`, or without one. */
function modelWith(generationConfig?: string): string {
  const path = mkdtempSync(join(folder, "model-"));
  cpSync(fixturePath("model"), path, { recursive: true });
  if (generationConfig === undefined) rmSync(join(path, "generation_config.json"));
  else writeFileSync(join(path, "generation_config.json"), generationConfig);
  return path;
}

async function answer(path: string, options: Omit<GenerateOptions, "messages"> = {}): Promise<GenerationResult> {
  using model = await loadModel(path, { device, dtype: "f32" });
  return await generate(model, { messages, ...options }).result;
}

describe("what generation_config.json says", () => {
  it("is what an answer goes by: how long it is, whether it is drawn, where it ends", async () => {
    const short = await answer(modelWith('{"max_new_tokens": 3, "do_sample": false}'));
    expect(short.ids).toEqual(greedy.ids.slice(0, 3));
    expect(short.finishReason).toBe("length");
    const [, second] = greedy.ids as [number, number];
    const ended = await answer(modelWith(`{"eos_token_id": [${EOS}, ${second}]}`));
    expect([ended.ids, ended.finishReason]).toEqual([greedy.ids.slice(0, 2), "stop"]);
    const asked = await answer(modelWith(`{"eos_token_id": [${EOS}, ${second}]}`), { eosTokenId: [], maxNewTokens: 4 });
    expect(asked.ids).toEqual(greedy.ids.slice(0, 4));
  });

  it("need not be there", async () => {
    expect((await answer(modelWith(), { maxNewTokens: 4 })).ids).toEqual(greedy.ids.slice(0, 4));
  });

  it("is named where it is out of range", async () => {
    const told = "max_new_tokens of generation_config.json is not usable; expected a whole number of at least 1, got 0";
    await expect(answer(modelWith('{"max_new_tokens": 0}'))).rejects.toThrow(told);
  });
});

describe("a model with an adapter", () => {
  it("answers by what the model under it brings, with the adapter and without", async () => {
    using model = await loadModel(modelWith('{"max_new_tokens": 12, "do_sample": false, "eos_token_id": []}'), { device, dtype: "f32" });
    using adapted = await loadAdapter(model, fixturePath("adapters/r8-a16-trained"));
    const withIt = await generate(adapted, { messages }).result;
    const without = await generate(adapted, { messages, adapter: null }).result;
    expect(without.ids).toEqual(greedy.ids.slice(0, 12));
    expect(withIt.ids).toHaveLength(12);
    expect(withIt.ids).not.toEqual(without.ids);
  });
});

describe("a template that the tokenizer was given", () => {
  it("ends answers at its stop token, whatever generation_config.json says", async () => {
    using model = await loadModel(modelWith('{"eos_token_id": 0, "do_sample": false}'), { device, dtype: "f32" });
    const plain = model.tokenizer!.withChatTemplate(model.tokenizer!.chatTemplate!);
    const { ids } = await generate(Object.assign(model, { tokenizer: plain }), { messages, maxNewTokens: 8 }).result;
    expect(ids).toEqual(greedy.ids.slice(0, 8));
    const token = plain.idToToken(ids[1]!)!;
    const ending = plain.withChatTemplate(plain.chatTemplate!, { stop: [token] });
    const ended = await generate(Object.assign(model, { tokenizer: ending }), { messages }).result;
    expect([ended.ids, ended.finishReason]).toEqual([ids.slice(0, 2), "stop"]);
  });

  it("reads messages in the layout that it was given with", async () => {
    using model = await loadModel(fixturePath("model"), { device, dtype: "f32" });
    const mapping = { role: "from", content: "value", user: "human", assistant: "gpt" };
    const tokenizer = getChatTemplate(model.tokenizer, "deepseek-r1", { mapping });
    const asked = [{ from: "human", value: messages[0]!.content }];
    const { ids } = await generate(Object.assign(model, { tokenizer }), { messages: asked, doSample: false, maxNewTokens: 4 }).result;
    expect(ids).toEqual(greedy.ids.slice(0, 4)); // the model's own format, so that the ids are those of its own template
  });

  it("ends them at its stop text, where that is no token", async () => {
    using model = await loadModel(fixturePath("model"), { device, dtype: "f32" });
    const chatml = getChatTemplate(model.tokenizer, "chatml");
    const options = { messages, doSample: false, maxNewTokens: 24, eosTokenId: [] };
    const { text } = await generate(Object.assign(model, { tokenizer: chatml }), options).result;
    const [longest] = text.split("\ufffd").sort((a, b) => b.length - a.length) as [string];
    const stop = longest.slice(1, 6);
    const ending = chatml.withChatTemplate(chatml.chatTemplate!, { stop: [stop] });
    expect(ending.stopStrings).toEqual([stop]);
    const ended = await generate(Object.assign(model, { tokenizer: ending }), { messages, doSample: false, maxNewTokens: 24 }).result;
    expect(ended.finishReason).toBe("stop");
    expect(ended.text).toBe(text.slice(0, text.indexOf(stop)));
  });
});
