import { beforeEach, describe, expect, it } from "vitest";
import { Asking, refusalOf } from "../testing/asking.js";

let asking: Asking;
beforeEach(() => (asking = new Asking()));

describe("what a request says of sampling", () => {
  it("goes before the server's defaults, and these before the model's", async () => {
    asking = new Asking({
      defaults: { temperature: 0.5, topK: 5, maxNewTokens: 4, stop: ["x"] },
      generationConfig: { max_new_tokens: 9, do_sample: false },
    });
    await asking.chat();
    await asking.chat({ temperature: 0.9, top_p: 0.5, top_k: -1, min_p: 0.1, repetition_penalty: 1.1, stop: "y", max_tokens: 6 });
    expect(asking.generator.asked).toMatchObject([
      { temperature: 0.5, topK: 5, maxNewTokens: 4, stop: ["x"] },
      { doSample: true, temperature: 0.9, topP: 0.5, topK: 0, minP: 0.1, repetitionPenalty: 1.1, maxNewTokens: 6, stop: ["y"] },
    ]);
    expect(asking.generator.asked[0]!.doSample).toBeUndefined();
  });

  it("has room to the end of the context, and no further", async () => {
    await asking.complete({ max_tokens: null });
    await asking.complete({ max_tokens: 1000 });
    expect(asking.generator.asked.map(({ maxNewTokens }) => maxNewTokens)).toEqual([97, 97]);
  });

  it("may name an adapter, null being the same as nothing", async () => {
    expect(
      (await asking.complete({ model: "tuned", n: null, stop: null, tools: null, logit_bias: {}, frequency_penalty: 0, user: "me" }))
        .status,
    ).toBe(200);
    expect(asking.generator.asked[0]).toMatchObject({ adapter: "tuned" });
  });
});

describe("a request that is refused", () => {
  const messages = [{ role: "user", content: "hi" }];
  it.each<[string, object, string, string | null, string]>([
    ["no model", { model: undefined }, "model", null, "expected one of letters, tuned"],
    ["no messages", { messages: undefined }, "messages", null, "missing"],
    ["empty messages", { messages: [] }, "messages", null, "a list of at least one message"],
    ["an unknown role", { messages: [{ role: "robot", content: "" }] }, "messages[0].role", null, 'got "robot"'],
    ["a message without content", { messages: [...messages, { role: "user" }] }, "messages[1].content", null, "expected a text"],
    [
      "an image",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "messages[0].content[0].type",
      "unsupported_parameter",
      "image_url",
    ],
    ["tools", { tools: [{ type: "function" }] }, "tools", "unsupported_parameter", "tools: not supported by this server"],
    ["JSON mode", { response_format: { type: "json_object" } }, "response_format", "unsupported_parameter", "json_object"],
    ["a bias", { logit_bias: { 5: 1 } }, "logit_bias", "unsupported_parameter", "not supported"],
    ["a penalty", { frequency_penalty: 0.5 }, "frequency_penalty", "unsupported_parameter", "got 0.5"],
    [
      "a temperature below 0",
      { temperature: -1 },
      "temperature",
      null,
      "temperature is not usable; expected a number of at least 0, got -1",
    ],
    ["a temperature that is a text", { temperature: "hot" }, "temperature", null, 'expected a number, got "hot"'],
    ["top_p above 1", { top_p: 1.5 }, "top_p", null, "top_p is not usable; expected a number above 0 and at most 1, got 1.5"],
    ["a negative seed", { seed: -1 }, "seed", null, "at least 0"],
    ["max_tokens 0", { max_tokens: 0 }, "max_tokens", null, "got 0"],
    ["two lengths", { max_tokens: 1, max_completion_tokens: 2 }, "max_tokens", null, "leave one out"],
    ["n of 0", { n: 0 }, "n", null, "from 1 to 128"],
    ["an empty stop", { stop: "" }, "stop", null, "at least one letter"],
    ["five stops", { stop: ["a", "b", "c", "d", "e"] }, "stop", null, "up to four"],
    ["too many top_logprobs", { logprobs: true, top_logprobs: 21 }, "top_logprobs", null, "from 0 to 20"],
    ["top_logprobs alone", { top_logprobs: 2 }, "top_logprobs", null, "logprobs: true"],
    ["stream_options alone", { stream_options: { include_usage: true } }, "stream_options", null, "stream: true"],
    [
      "a prompt that fills the context",
      { messages: [{ role: "user", content: "x".repeat(94) }] },
      "messages",
      "context_length_exceeded",
      "at most 99 tokens, got 100",
    ],
    ["what the template refuses", { messages: [{ role: "user", content: "refuse" }] }, "messages", null, "must alternate"],
  ])("names the field: %s", async (_, more, param, code, text) => {
    const said = await refusalOf(asking.chat(more));
    expect(said).toMatchObject({ status: 400, type: "invalid_request_error", param, code });
    expect(said.message).toContain(text);
    expect(asking.generator.asked).toEqual([]);
  });

  it.each<[string, object, string, string]>([
    ["an empty prompt", { prompt: "" }, "prompt", "at least one token"],
    ["no prompt", { prompt: null }, "prompt", "missing"],
    ["an id that is no token", { prompt: [5, 1000] }, "prompt[1]", "from 0 to 999"],
    ["one of several that is none", { prompt: ["a", 5] }, "prompt[1]", "a text or a list of ids"],
    ["too many choices", { prompt: Array.from({ length: 65 }, () => "a"), n: 2 }, "prompt", "at most 128 choices"],
    ["more logprobs than OpenAI has", { logprobs: 6 }, "logprobs", "from 0 to 5"],
    ["echo", { echo: true }, "echo", "not supported"],
    ["best_of", { best_of: 3 }, "best_of", "not supported"],
    ["suffix", { suffix: "." }, "suffix", "not supported"],
  ])("names the field of a completion: %s", async (_, more, param, text) => {
    const said = await refusalOf(asking.complete(more));
    expect(said).toMatchObject({ status: 400, param });
    expect(said.message).toContain(text);
  });

  it("says what is wrong with its body", async () => {
    expect(await refusalOf(asking.post("/v1/chat/completions", '{"model": '))).toMatchObject({ status: 400, code: "invalid_json" });
    expect(await refusalOf(asking.post("/v1/chat/completions", "[1]"))).toMatchObject({
      status: 400,
      message: "request: its body is not usable; expected a JSON object, got [1]",
    });
    expect(await refusalOf(asking.post("/v1/chat/completions", ""))).toMatchObject({ status: 400, code: "invalid_json" });
    expect(await refusalOf(asking.post("/v1/chat/completions", "{}", { headers: { "Content-Type": "text/plain" } }))).toMatchObject({
      status: 415,
    });
    expect(await refusalOf(asking.post("/v1/chat/completions", "{}", { body: new Uint8Array([0x22, 0xff, 0x22]) }))).toMatchObject({
      status: 400,
      code: "invalid_json",
    });
    expect(await refusalOf(asking.post("/v1/chat/completions", "[".repeat(1e6)))).toMatchObject({ status: 400, code: "invalid_json" });
  });

  it("is not read further than the limit, with a length and without", async () => {
    asking = new Asking({ maxBodyBytes: 100 });
    expect(await refusalOf(asking.chat({ user: "x".repeat(100) }))).toMatchObject({ status: 413, code: "request_too_large" });
    let pulled = 0;
    const endless = new ReadableStream({ pull: (controller) => (pulled++, controller.enqueue(new Uint8Array(40))) });
    expect(await refusalOf(asking.chat({}, { body: endless, duplex: "half" } as RequestInit))).toMatchObject({ status: 413 });
    expect(pulled).toBeLessThan(10);
  });

  it("knows models, paths and methods", async () => {
    expect(await refusalOf(asking.chat({ model: "gpt-4o" }))).toMatchObject({ status: 404, param: "model", code: "model_not_found" });
    expect(await refusalOf(asking.get("/v1/chat/completion"))).toMatchObject({
      status: 404,
      code: "unknown_url",
      message: expect.stringContaining("did you mean /v1/chat/completions?") as string,
    });
    const response = await asking.get("/v1/chat/completions");
    expect(response.headers.get("allow")).toBe("POST");
    expect(await refusalOf(response)).toMatchObject({ status: 405 });
    expect(await refusalOf(asking.post("/v1/models", {}))).toMatchObject({ status: 405 });
  });
});
