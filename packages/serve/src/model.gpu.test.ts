import { TextGenerator, type GenerateOptions } from "@kto/generate";
import { PeftModel, readAdapter } from "@kto/lora";
import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJsonl } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import type { Tokenizer } from "@kto/tokenizer";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serve, type RunningServer } from "./node.js";

/** What transformers generated of a prompt, without and with the adapter. */
interface Greedy {
  prompt: OpenAI.ChatCompletionMessageParam[];
  prompt_ids: number[];
  greedy: { ids: number[]; text: string };
  "repetition_penalty_1.1": { ids: number[] };
  adapter: { ids: number[] };
}
const fixtures = readFixtureJsonl<Greedy>("generation/greedy.jsonl");
const maxRows = 8;

let device: Device;
let base: DecoderForCausalLM;
let tokenizer: Tokenizer;
let generator: TextGenerator;
let server: RunningServer;
let client: OpenAI;

beforeAll(async () => {
  device = await requestDevice();
  base = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  tokenizer = await loadTokenizer(fixturePath("model"));
  const model = new PeftModel(base);
  const { config, weights } = await readAdapter(fileDirectory(fixturePath("lora", "main")), base);
  model.addAdapter(config, { adapterName: "trained", weights });
  generator = new TextGenerator(Object.assign(model, { tokenizer }), { maxRows });
  server = await serve({
    generator,
    tokenizer,
    vocabSize: base.vocabSize,
    contextSize: base.maxPositionEmbeddings,
    models: [
      { id: "tiny", adapter: null },
      { id: "trained", adapter: "trained" },
    ],
    defaults: { eosTokenId: [], maxNewTokens: 64 }, // as the fixtures were made
    maxRunning: maxRows,
    port: 0,
  });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(async () => {
  await server.close({ graceMs: 0 });
  generator.dispose();
  base.dispose();
  device.dispose();
});

const text = (ids: number[]): string => tokenizer.decode(ids, { skipSpecialTokens: true });

describe("a model behind a server", () => {
  it("answers chats as transformers does, the base and its adapter together, at once and in streams", async () => {
    const answers = fixtures.flatMap(({ prompt, ...expected }) => [
      [client.chat.completions.create({ model: "tiny", messages: prompt, temperature: 0 }), expected.greedy.ids] as const,
      [client.chat.completions.create({ model: "trained", messages: prompt, temperature: 0 }), expected.adapter.ids] as const,
    ]);
    for (const [answer, ids] of answers) {
      const { choices, usage } = await answer;
      expect(choices[0]).toMatchObject({ message: { content: text(ids) }, finish_reason: "length" });
      expect(usage?.completion_tokens).toBe(64);
    }
    const { prompt, ...expected } = fixtures[1]!;
    let streamed = "";
    for await (const { choices } of await client.chat.completions.create({
      model: "trained",
      messages: prompt,
      temperature: 0,
      stream: true,
    }))
      streamed += choices[0]!.delta.content ?? "";
    expect(streamed).toBe(text(expected.adapter.ids));
  });

  it("takes ids and vLLM's fields", async () => {
    const [{ prompt_ids: prompt, ...expected }] = fixtures as [Greedy];
    const asked = { model: "tiny", prompt, temperature: 0, repetition_penalty: 1.1 };
    expect((await client.completions.create(asked)).choices[0]!.text).toBe(text(expected["repetition_penalty_1.1"].ids));
  });

  it("gives the log-probabilities of the generator, and draws n choices with seeds", async () => {
    const [{ prompt, prompt_ids: inputIds }] = fixtures as [Greedy];
    const options: GenerateOptions = { inputIds, maxNewTokens: 6, doSample: true, temperature: 1, eosTokenId: [], adapter: null };
    const alone = await Promise.all([5, 6].map((seed) => generator.generate({ ...options, seed, logprobs: 3 }).result));
    const { choices } = await client.chat.completions.create({
      model: "tiny",
      messages: prompt,
      max_tokens: 6,
      temperature: 1,
      n: 2,
      seed: 5,
      logprobs: true,
      top_logprobs: 3,
    });
    expect(choices.map(({ message }) => message.content)).toEqual(alone.map((result) => result.text));
    choices.forEach(({ logprobs }, index) => {
      const expected = alone[index]!.logprobs!;
      expect(logprobs!.content!.map(({ token }) => token)).toEqual(expected.map(({ id }) => tokenizer.decode([id])));
      logprobs!.content!.forEach(({ logprob, top_logprobs: top }, place) => {
        expect(logprob).toBeCloseTo(expected[place]!.logprob, 4);
        expect(top.map((other) => other.token)).toEqual(expected[place]!.top.map(({ id }) => tokenizer.decode([id])));
      });
    });
  });

  it("answers a hundred clients at once, each as if it were alone, and leaves no buffer behind", async () => {
    const prompts = Array.from({ length: 100 }, (_, index) => `${index} ${"abc ".repeat(index % 7)}`);
    const ask = async (prompt: string): Promise<string> =>
      (await client.completions.create({ model: prompt.length % 2 === 0 ? "tiny" : "trained", prompt, max_tokens: 4, temperature: 0 }))
        .choices[0]!.text;
    const together = await Promise.all(prompts.map(ask));
    const buffers = device.memory.info().liveStorages;
    for (const [index, prompt] of prompts.entries()) {
      const adapter = prompt.length % 2 === 0 ? null : "trained";
      const alone = await generator.generate({ prompt, maxNewTokens: 4, doSample: false, eosTokenId: [], adapter }).result;
      expect(together[index], prompt).toBe(alone.text);
    }
    await Promise.all(prompts.slice(0, 20).map(ask));
    expect(device.memory.info().liveStorages).toBeLessThanOrEqual(buffers);
    expect(generator.numRows).toBe(0);
  });

  it("frees the slots of clients that leave", async () => {
    const abort = new AbortController();
    const asked = { model: "tiny", prompt: "abc", max_tokens: 4000, temperature: 1 };
    const stream = await client.completions.create({ ...asked, stream: true });
    const whole = client.completions.create(asked, { signal: abort.signal }).catch(() => "left");
    for await (const _ of stream) break;
    await expect.poll(() => generator.numRows).toBeGreaterThan(0);
    abort.abort();
    expect(await whole).toBe("left");
    await expect.poll(() => generator.numRows, { timeout: 5000 }).toBe(0);
  });
});
