import { beforeEach, describe, expect, it } from "vitest";
import { Asking, eventsOf, refusalOf } from "../testing/asking.js";

let asking: Asking;
beforeEach(() => (asking = new Asking()));

describe("many at once", () => {
  it("run together up to the limit, wait in their order, and each gets its own answer", async () => {
    asking = new Asking({ maxRunning: 4 });
    const texts = await Promise.all(
      Array.from(
        { length: 100 },
        async (_, index) =>
          ((await (await asking.complete({ prompt: `p${index}.`, max_tokens: 8 })).json()) as { choices: { text: string }[] }).choices[0]!
            .text,
      ),
    );
    texts.forEach((text, index) => {
      const backwards = [...`p${index}.`].reverse().join("");
      expect(text).toBe(backwards.repeat(8).slice(0, 8));
    });
    expect(asking.generator.mostRunning).toBe(4);
  });

  it("are refused with a time to wait when the queue is full", async () => {
    asking = new Asking({ maxRunning: 1, maxQueue: 1 });
    asking.generator.tokenMs = 5;
    const [first, second, third] = [asking.complete({ n: 2 }), asking.complete(), asking.complete()];
    const refused = await third;
    expect(refused.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    expect(await refusalOf(refused)).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect(asking.generator.mostRunning).toBe(1);
  });

  it("give back their slots when clients leave: while they run, while they wait, and in a stream", async () => {
    asking = new Asking({ maxRunning: 1 });
    asking.generator.tokenMs = 5;
    const [running, waiting] = [new AbortController(), new AbortController()];
    const leaving = [running, waiting].map(({ signal }) => asking.complete({ max_tokens: 90, n: 2 }, { signal }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asking.generator.numRunning).toBe(1);
    waiting.abort();
    running.abort();
    for (const response of leaving) expect((await response).status).toBe(499);
    const stream = await asking.complete({ max_tokens: 90, stream: true });
    await stream.body!.cancel();
    expect((await asking.complete()).status).toBe(200);
    expect([asking.generator.numAborted, asking.generator.numRunning, asking.generator.asked.length]).toEqual([2, 0, 3]);
  });
});

describe("what fails", () => {
  it("in the generator is told to the server, and the client hears little", async () => {
    asking.generator.failure = new Error("secret of the house");
    const said = await refusalOf(asking.chat());
    expect(said).toMatchObject({ status: 500, type: "server_error" });
    expect(said.message).not.toContain("secret");
    const chunks = await eventsOf(await asking.chat({ stream: true, n: 2 }));
    expect(chunks.at(-1)).toMatchObject({ error: { type: "server_error" } });
    expect(asking.errors).toEqual([asking.generator.failure, asking.generator.failure]);
    asking.generator.failure = undefined;
    expect((await asking.chat()).status).toBe(200);
  });
});

describe("a server that stops", () => {
  it("refuses what is new and what waits, and lets what runs end", async () => {
    asking = new Asking({ maxRunning: 1 });
    asking.generator.tokenMs = 5;
    const running = asking.complete({ n: 2 });
    const waiting = asking.complete();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const closing = asking.serving.close();
    expect((await asking.get("/health")).status).toBe(503);
    expect(await refusalOf(asking.chat())).toMatchObject({ status: 503, code: "stopping" });
    expect(await refusalOf(waiting)).toMatchObject({ status: 503 });
    expect((await running).status).toBe(200);
    expect(await closing).toBe(0);
  });

  it("ends what takes longer than it may", async () => {
    asking.generator.tokenMs = 20;
    const [whole, stream] = [asking.complete({ max_tokens: 90 }), await asking.complete({ max_tokens: 90, stream: true })];
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await asking.serving.close({ graceMs: 50 })).toBe(2);
    expect(await refusalOf(whole)).toMatchObject({ status: 503, code: "stopping" });
    expect((await eventsOf(stream)).at(-1)).toMatchObject({ error: { code: "stopping" } });
    expect(asking.generator.numRunning).toBe(0);
  });
});
