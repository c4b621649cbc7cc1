import { readFileSync } from "node:fs";
import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJson } from "@kto/testing/workspace";
import { getChatTemplate, Tokenizer } from "@kto/tokenizer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generate, type GenerateOptions, type GenerationResult, TextGenerator } from "./index.js";
import { answeredPrompts } from "./testing/rows.js";

let device: Device;
let model: DecoderForCausalLM & { tokenizer: Tokenizer };
const file = (name: string): string => readFileSync(fixturePath("model", name), "utf8");

beforeAll(async () => {
  device = await requestDevice();
  const tokenizer = Tokenizer.fromFiles({ tokenizerJson: file("tokenizer.json"), tokenizerConfig: file("tokenizer_config.json") });
  model = Object.assign(await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" }), { tokenizer });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

const first = answeredPrompts[0]!;

describe("an answer", () => {
  it("in pieces is the result, and that of transformers", async () => {
    const generation = generate(model, { messages: first.prompt, doSample: false, maxNewTokens: 64, eosTokenId: [] });
    let text = "";
    const ids: number[] = [];
    for await (const piece of generation) {
      text += piece.text;
      ids.push(...piece.ids);
    }
    const result = await generation.result;
    expect(result).toMatchObject({
      text,
      ids,
      promptTokens: first.prompt_ids.length,
      newTokens: 64,
      finishReason: "length",
      cachedTokens: 0,
    });
    expect(ids).toEqual(first.greedy.ids);
    expect(text).toBe(model.tokenizer.decode(ids, { skipSpecialTokens: true }));
    expect(result.tokensPerSecond).toBeGreaterThan(0);
  });

  it("is by another tokenizer than the model's, with its template and its ends", async () => {
    const tokenizer = getChatTemplate(model.tokenizer, "chatml");
    const messages = [{ role: "user", content: "Compute 2 * 9." }];
    const prompt = tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true });
    const options = { doSample: false, maxNewTokens: 4 } as const;
    const byChatml = await generate(model, { ...options, messages, tokenizer }).result;
    expect(byChatml).toMatchObject({
      promptTokens: prompt.length,
      ids: (await generate(model, { ...options, inputIds: prompt }).result).ids,
    });
    expect(byChatml.promptTokens).not.toBe((await generate(model, { ...options, messages }).result).promptTokens);
  });

  it("ends at the end tokens of a batch as in transformers", async () => {
    const stopping = readFixtureJson<{
      input_ids: number[][];
      attention_mask: number[][];
      eos_token_ids: number[];
      max_new_tokens: number;
      pad_token_id: number;
      ids: number[][];
    }>("generation/stopping.json");
    using generator = new TextGenerator(model);
    const results = await Promise.all(
      stopping.input_ids.map((ids, row) => {
        const inputIds = ids.filter((_, index) => stopping.attention_mask[row]![index] === 1);
        return generator.generate({ inputIds, doSample: false, maxNewTokens: stopping.max_new_tokens, eosTokenId: stopping.eos_token_ids })
          .result;
      }),
    );
    results.forEach(({ ids, finishReason }, row) => {
      const isEnd = stopping.eos_token_ids.includes(ids.at(-1)!);
      const padded = [...ids, ...Array.from({ length: stopping.ids[row]!.length - ids.length }, () => stopping.pad_token_id)];
      expect(padded).toEqual(stopping.ids[row]);
      expect(finishReason).toBe(isEnd ? "stop" : "length");
    });
  });

  it("ends before a stop string, wherever tokens part it", async () => {
    const whole = first.greedy.text.replaceAll("\ufffd", "");
    const stop = whole.slice(30, 37);
    const { text, finishReason, newTokens } = await generate(model, {
      messages: first.prompt,
      doSample: false,
      maxNewTokens: 64,
      eosTokenId: [],
      skipSpecialTokens: false,
      stop,
    }).result;
    expect(text.replaceAll("\ufffd", "")).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(finishReason).toBe("stop");
    expect(newTokens).toBeLessThan(64);
  });
});

describe("drawn ids", () => {
  const sampled: GenerateOptions = {
    inputIds: first.prompt_ids,
    temperature: 1.2,
    topK: 40,
    topP: 0.95,
    seed: 11,
    maxNewTokens: 12,
    eosTokenId: [],
  };

  it("are those of the seed, alone or among others", async () => {
    using generator = new TextGenerator(model, { maxRows: 8 });
    const others = [12, 13, 14].map((seed) => generator.generate({ ...sampled, inputIds: answeredPrompts[1]!.prompt_ids, seed }));
    const together = await generator.generate(sampled).result;
    const different = await Promise.all(others.map(({ result }) => result));
    const alone = await generate(model, sampled).result;
    expect(alone.ids).toEqual(together.ids);
    expect(new Set([together, ...different].map(({ ids }) => ids.join())).size).toBe(4);
  });

  it("have a seed of their own without one, which repeats them", async () => {
    const { seed: _seed, ...unseeded } = sampled;
    const once = await generate(model, unseeded).result;
    const again = await generate(model, { ...unseeded, seed: once.seed }).result;
    expect(again.ids).toEqual(once.ids);
  });
});

describe("rows that come and go", () => {
  it("give what each gives alone, and leave nothing behind", async () => {
    const before = device.memory.info().liveStorages;
    const options = (row: number): GenerateOptions => ({
      inputIds: answeredPrompts[row % answeredPrompts.length]!.prompt_ids,
      doSample: false,
      maxNewTokens: 3 + 5 * row,
      eosTokenId: [],
    });
    const alone: GenerationResult[] = [];
    for (let row = 0; row < 6; row++) alone.push(await generate(model, options(row)).result);
    const generator = new TextGenerator(model, { maxRows: 3 }); // so that some wait, and join while others go on
    const together = await Promise.all(Array.from({ length: 6 }, (_, row) => generator.generate(options(row)).result));
    expect(together.map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids));
    generator.dispose();
    expect(device.memory.info().liveStorages).toBe(before);
  });

  it("a conversation goes on from what is cached", async () => {
    using generator = new TextGenerator(model);
    const one = await generator.generate({ inputIds: first.prompt_ids, doSample: false, maxNewTokens: 10, eosTokenId: [] }).result;
    const inputIds = [...first.prompt_ids, ...one.ids, 5, 6, 7];
    const two = await generator.generate({ inputIds, doSample: false, maxNewTokens: 10, eosTokenId: [] }).result;
    expect(one.cachedTokens).toBe(0);
    expect(two.cachedTokens).toBe(first.prompt_ids.length + 9); // the last token was drawn, not computed
    const fresh = await generate(model, { inputIds, doSample: false, maxNewTokens: 10, eosTokenId: [] }).result;
    expect(two.ids).toEqual(fresh.ids);
  });

  it("one that is left or stopped frees its place at once", async () => {
    using generator = new TextGenerator(model, { maxRows: 1 });
    const long = generator.generate({ inputIds: first.prompt_ids, doSample: false, maxNewTokens: 200, eosTokenId: [] });
    for await (const { ids } of long) if (ids.length > 0) break;
    expect(await long.result).toMatchObject({ finishReason: "cancelled" });
    const controller = new AbortController();
    const aborted = generator.generate({ inputIds: first.prompt_ids, maxNewTokens: 200, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(aborted.result).rejects.toThrow("enough");
    const next = await generator.generate({ inputIds: first.prompt_ids, doSample: false, maxNewTokens: 2, eosTokenId: [] }).result;
    expect(next.newTokens).toBe(2);
  });
});

describe("what cannot be answered", () => {
  it.each<[string, GenerateOptions, string]>([
    ["nothing", {}, "generate: there is nothing to answer; expected one of messages, prompt and inputIds, got none"],
    [
      "two prompts",
      { prompt: "a", inputIds: [1] },
      "generate: the prompt is given more than once; expected one of messages, prompt and inputIds, got prompt and inputIds",
    ],
    ["an empty one", { inputIds: [] }, "generate: the prompt is empty; expected at least one token, got none"],
    ["no token", { inputIds: [1, 99999] }, "generate: the prompt has an id that is no token; expected ids from 0 to 511, got 99999"],
    ["temperature", { prompt: "a", temperature: -1 }, "generate: temperature is not usable; expected a number of at least 0, got -1"],
    ["top-p", { prompt: "a", topP: 1.5 }, "generate: topP is not usable; expected a number above 0 and at most 1, got 1.5"],
    ["top-k", { prompt: "a", topK: 1.5 }, "generate: topK is not usable; expected a whole number of at least 0, got 1.5"],
    ["no tokens", { prompt: "a", maxNewTokens: 0 }, "generate: maxNewTokens is not usable; expected a whole number of at least 1, got 0"],
    ["an empty stop string", { prompt: "a", stop: [""] }, "generate: stop holds an empty text; expected texts of at least one letter"],
    ["an adapter", { prompt: "a", adapter: "mine" }, 'generate: there is no adapter "mine"; expected none, since the model has none'],
    ["no messages", { messages: [] }, "Cannot apply chat template to an empty conversation"],
  ])("%s", (_name, options, message) => expect(() => generate(model, options)).toThrow(message));

  it("a prompt that fills the context", () => {
    const inputIds = Array.from({ length: model.maxPositionEmbeddings }, () => 1);
    expect(() => generate(model, { inputIds })).toThrow("generate: the prompt fills the context; expected at most");
  });
});
