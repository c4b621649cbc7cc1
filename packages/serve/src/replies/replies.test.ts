import { beforeEach, describe, expect, it } from "vitest";
import { Asking, eventsOf } from "../testing/asking.js";

let asking: Asking;
beforeEach(() => (asking = new Asking()));

describe("chat completions", () => {
  it("are OpenAI's objects", async () => {
    const response = await asking.chat({ max_tokens: 50 });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/) as string,
      object: "chat.completion",
      created: expect.closeTo(Date.now() / 1000, -1) as number,
      model: "letters",
      choices: [{ index: 0, message: { role: "assistant", content: "!ih>resu<", refusal: null }, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 9, completion_tokens: 10, total_tokens: 19, prompt_tokens_details: { cached_tokens: 0 } },
    });
    expect(asking.generator.asked[0]).toMatchObject({ adapter: null, maxNewTokens: 50 });
  });

  it("stream the role, pieces, the reason, the usage and the end", async () => {
    const response = await asking.chat({ max_completion_tokens: 2, stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const chunks = await eventsOf(response);
    expect(chunks.pop()).toBe("[DONE]");
    const choices = (chunks as { choices: object[]; usage: object | null; object: string }[]).map(({ choices, usage, object }) => {
      expect(object).toBe("chat.completion.chunk");
      return choices.length === 0 ? usage : [choices[0], usage];
    });
    const choice = (delta: object, finish_reason: string | null = null): object => [
      { index: 0, delta, logprobs: null, finish_reason },
      null,
    ];
    expect(choices).toEqual([
      choice({ role: "assistant", content: "", refusal: null }),
      choice({ content: "!" }),
      choice({ content: "i" }),
      choice({}, "length"),
      { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11, prompt_tokens_details: { cached_tokens: 0 } },
    ]);
  });

  it("have no usage in streams that do not ask for it", async () => {
    const chunks = await eventsOf(await asking.chat({ stream: true }));
    expect(chunks.filter((chunk) => chunk !== "[DONE]" && "usage" in (chunk as object))).toEqual([]);
  });

  it("join parts of text, and take the developer for the system", async () => {
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b!" },
    ];
    const response = await asking.chat({
      messages: [
        { role: "developer", content: "s" },
        { role: "user", content: parts },
      ],
    });
    expect(((await response.json()) as { choices: { message: { content: string } }[] }).choices[0]!.message.content).toBe(
      [..."<system>s<user>ab!"].reverse().join(""),
    );
  });

  it("give log-probabilities as OpenAI does, without the end", async () => {
    const response = await asking.chat({ logprobs: true, top_logprobs: 2 });
    const { choices } = (await response.json()) as { choices: { logprobs: { content: unknown[] } }[] };
    expect(choices[0]!.logprobs.content).toHaveLength(9);
    expect(choices[0]!.logprobs.content[0]).toEqual({
      token: "!",
      logprob: -0.5,
      bytes: [33],
      top_logprobs: [
        { token: "!", logprob: -0.5, bytes: [33] },
        { token: "a", logprob: -1.5, bytes: [97] },
      ],
    });
    const chunks = (await eventsOf(await asking.chat({ logprobs: true, stream: true }))) as {
      choices: { logprobs: { content: object[] } | null }[];
    }[];
    expect(chunks.slice(0, -1).flatMap((chunk) => chunk.choices[0]!.logprobs?.content ?? [])).toHaveLength(9);
  });
});

describe("completions", () => {
  it("are OpenAI's objects", async () => {
    expect(await (await asking.complete({ logprobs: 1 })).json()).toEqual({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/) as string,
      object: "text_completion",
      created: expect.any(Number) as number,
      model: "letters",
      choices: [
        {
          text: "cba",
          index: 0,
          finish_reason: "length",
          logprobs: {
            tokens: ["c", "b", "a"],
            token_logprobs: [-0.5, -0.5, -0.5],
            top_logprobs: [{ c: -0.5 }, { b: -0.5 }, { a: -0.5 }],
            text_offset: [0, 1, 2],
          },
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6, prompt_tokens_details: { cached_tokens: 0 } },
    });
  });

  it("take texts and ids, one or several, and n choices of each with seeds of their own", async () => {
    const texts = async (prompt: unknown): Promise<string[]> => {
      const { choices } = (await (await asking.complete({ prompt, n: 2, seed: 7 })).json()) as {
        choices: { text: string; index: number }[];
      };
      expect(choices.map(({ index }) => index)).toEqual([...choices.keys()]);
      return choices.map(({ text }) => text);
    };
    expect(await texts([97, 98])).toEqual(["bab", "bab"]);
    expect(asking.generator.asked.map(({ seed }) => seed)).toEqual([7, 8]);
    expect(await texts(["ab", "xyz"])).toEqual(["bab", "bab", "zyx", "zyx"]);
    expect(await texts([[97], [98, 99]])).toEqual(["aaa", "aaa", "cbc", "cbc"]);
    expect(await texts("q")).toEqual(["qqq", "qqq"]);
  });

  it("stream", async () => {
    const chunks = await eventsOf(await asking.complete({ stream: true, n: 2 }));
    expect(chunks.pop()).toBe("[DONE]");
    const choices = (chunks as { choices: { index: number; text: string; finish_reason: string | null }[] }[]).map(
      (chunk) => chunk.choices[0]!,
    );
    for (const index of [0, 1]) {
      const mine = choices.filter((choice) => choice.index === index);
      expect(mine.map(({ text }) => text).join("")).toBe("cba");
      expect(mine.map((choice) => choice.finish_reason)).toEqual([null, null, null, "length"]);
    }
  });
});
