import { connect, type Socket } from "node:net";
import { request } from "node:http";
import OpenAI, {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EchoGenerator, letterOptions } from "../testing/letters.js";
import { type RunningServer, serve, type ServerOptions } from "./serve.js";

let generator: EchoGenerator;
let server: RunningServer;
const begin = async (options: Partial<ServerOptions> = {}): Promise<OpenAI> => {
  await server?.close({ graceMs: 0 });
  server = await serve({ ...letterOptions(generator), port: 0, ...options });
  return new OpenAI({ baseURL: `${server.url}/v1`, apiKey: options.apiKey ?? "none", maxRetries: 0 });
};
let client: OpenAI;
beforeEach(async () => {
  generator = new EchoGenerator();
  client = await begin();
});
afterEach(() => server.close({ graceMs: 0 }));

const messages = [{ role: "user" as const, content: "hi!" }];
const backwards = "!ih>resu<";

/** Sends text over a connection of its own; resolves to all that comes back until it is closed, and how long that took. */
function raw(text: string, { pauseReading = false } = {}): { socket: Socket; closed: Promise<{ said: string; elapsedMs: number }> } {
  const started = performance.now();
  const socket = connect(server.port, server.host);
  let said = "";
  socket.setEncoding("utf8").on("error", () => {});
  if (!pauseReading) socket.on("data", (data: string) => (said += data));
  if (text !== "") socket.write(text);
  const closed = new Promise<{ said: string; elapsedMs: number }>((resolve) =>
    socket.on("close", () => resolve({ said, elapsedMs: performance.now() - started })),
  );
  return { socket, closed };
}
const head = (length: number | "chunked"): string =>
  `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`}\r\n\r\n`;
const whole = (body: object): string => head(JSON.stringify(body).length) + JSON.stringify(body);

describe("the official client", () => {
  it("lists models", async () => {
    const ids: string[] = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(["letters", "tuned"]);
    expect((await client.models.retrieve("tuned")).id).toBe("tuned");
  });

  it("chats", async () => {
    const { choices, usage } = await client.chat.completions.create({ model: "letters", messages, n: 2, logprobs: true, top_logprobs: 1 });
    expect(choices.map(({ message, finish_reason }) => [message.content, finish_reason])).toEqual([
      [backwards, "stop"],
      [backwards, "stop"],
    ]);
    expect(choices[1]!.logprobs!.content!.map(({ token }) => token).join("")).toBe(backwards);
    expect(usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 20, total_tokens: 29 });
  });

  it("chats in a stream", async () => {
    const stream = client.chat.completions.stream({ model: "tuned", messages, stream_options: { include_usage: true } });
    let text = "";
    stream.on("content", (delta) => (text += delta));
    const { choices, usage } = await stream.finalChatCompletion();
    expect([text, choices[0]!.message.content, choices[0]!.finish_reason, usage?.total_tokens]).toEqual([backwards, backwards, "stop", 19]);
  });

  it("completes, at once and in a stream", async () => {
    const asked = { model: "letters", prompt: ["ab", "cd"], max_tokens: 4 };
    expect((await client.completions.create({ ...asked, logprobs: 0 })).choices.map(({ text }) => text)).toEqual(["baba", "dcdc"]);
    const texts = ["", ""];
    for await (const { choices } of await client.completions.create({ ...asked, stream: true }))
      texts[choices[0]!.index] += choices[0]!.text;
    expect(texts).toEqual(["baba", "dcdc"]);
  });

  it("gets errors of its classes", async () => {
    const asked = (more: object): Promise<unknown> => client.chat.completions.create({ model: "letters", messages, ...more });
    await expect(asked({ n: 0 })).rejects.toBeInstanceOf(BadRequestError);
    await expect(asked({ n: 0 })).rejects.toMatchObject({ status: 400, param: "n", type: "invalid_request_error" });
    await expect(asked({ model: "gpt" })).rejects.toBeInstanceOf(NotFoundError);
    generator.failure = new Error("broken");
    await expect(asked({})).rejects.toBeInstanceOf(InternalServerError);
    const broken = await client.chat.completions.create({ model: "letters", messages, stream: true });
    const read = async (): Promise<void> => {
      for await (const chunk of broken) expect(chunk.choices[0]!.delta.content).not.toBe(backwards);
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
    client = await begin({ apiKey: "right" });
    await expect(client.withOptions({ apiKey: "wrong" }).models.list()).rejects.toBeInstanceOf(AuthenticationError);
    expect((await client.models.list()).data).toHaveLength(2);
  });

  it("is told to wait when the queue is full, and does", async () => {
    client = await begin({ maxRunning: 1, maxQueue: 0 });
    generator.failure = undefined;
    generator.tokenMs = 5;
    const first = client.chat.completions.create({ model: "letters", messages });
    await expect.poll(() => generator.numRunning).toBe(1);
    await expect(client.chat.completions.create({ model: "letters", messages })).rejects.toBeInstanceOf(RateLimitError);
    const patient = client.withOptions({ maxRetries: 5 }).chat.completions.create({ model: "letters", messages });
    expect((await first).choices).toHaveLength(1);
    expect((await patient).choices[0]!.message.content).toBe(backwards);
  });

  it("a hundred at once lose nothing", async () => {
    generator.tokenMs = 10;
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const prompt = `${index},`;
        if (index % 2 === 0) return (await client.completions.create({ model: "letters", prompt, max_tokens: 20 })).choices[0]!.text;
        let text = "";
        for await (const { choices } of await client.completions.create({ model: "letters", prompt, max_tokens: 20, stream: true }))
          text += choices[0]!.text;
        return text;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => [...`${index},`].reverse().join("").repeat(10).slice(0, 20)));
    expect(generator.mostRunning).toBe(32);
  });
});

describe("clients that misbehave", () => {
  it("leave in the middle, and their slots come free", async () => {
    generator.tokenMs = 5;
    const stream = await client.completions.create({ model: "letters", prompt: "ab", max_tokens: 98, stream: true });
    for await (const _ of stream) break;
    const abort = new AbortController();
    const whole = client.completions.create({ model: "letters", prompt: "ab", max_tokens: 98 }, { signal: abort.signal });
    await expect.poll(() => generator.asked.length).toBe(2);
    abort.abort();
    await expect(whole).rejects.toBeInstanceOf(APIUserAbortError);
    await expect.poll(() => [generator.numRunning, generator.numAborted]).toEqual([0, 2]);
  });

  it("hang in the middle of a request and get 408", async () => {
    await begin({ headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const { said, elapsedMs } = await raw(`${head(1000)}{"model":`).closed;
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
    expect(JSON.parse(said.split("\r\n\r\n")[1]!)).toMatchObject({ error: { code: "request_timeout" } });
    expect(elapsedMs).toBeLessThan(3000);
    expect((await raw("POST /v1/completions HTTP/1.1\r\nHost: t").closed).said).toMatch(/^HTTP\/1\.1 408 /);
    expect((await raw("").closed).elapsedMs).toBeLessThan(3000);
  });

  it("are not late when this process was busy while their request lay there", async () => {
    await begin({ headersTimeoutMs: 200 });
    const { socket, closed } = raw("");
    await new Promise((resolve) => socket.on("connect", resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(whole({ model: "letters", prompt: "ab", max_tokens: 1 }));
    const busyUntil = performance.now() + 400;
    while (performance.now() < busyUntil);
    setTimeout(() => socket.end(), 200);
    expect((await closed).said).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("send what is no HTTP and get 400", async () => {
    expect((await raw("HELLO\r\n\r\n").closed).said).toMatch(/^HTTP\/1\.1 400 .*\{"error":\{"message":"request: it cannot be read/s);
    const { socket, closed } = raw("GET /v1/models HTTP/1.1\r\nHost: a b\r\n\r\n");
    setTimeout(() => socket.end(), 100);
    expect((await closed).said).toMatch(/^HTTP\/1\.1 400 .*its target is not usable/s);
    expect((await raw(`GET / HTTP/1.1\r\nHost: t\r\nX: ${"x".repeat(20_000)}\r\n\r\n`).closed).said).toMatch(/^HTTP\/1\.1 431 /);
  });

  it.each(["with a length", "in chunks"])("send 64 MB %s and get 413, without its being held", async (kind) => {
    const before = process.memoryUsage().rss;
    let most = 0;
    const status = await new Promise<number>((resolve, reject) => {
      const size = 64 * 2 ** 20;
      const headers = { "Content-Type": "application/json", ...(kind === "with a length" && { "Content-Length": size }) };
      const sending = request(`${server.url}/v1/chat/completions`, { method: "POST", headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
      });
      const chunk = Buffer.alloc(64 * 1024, " ");
      let sent = 0;
      const send = (): void => {
        most = Math.max(most, process.memoryUsage().rss);
        while (sent < size) {
          sent += chunk.length;
          if (!sending.write(chunk)) return void sending.once("drain", send);
        }
        sending.end();
      };
      sending.on("error", (error: NodeJS.ErrnoException) => {
        if (!["EPIPE", "ECONNRESET"].includes(error.code ?? "")) reject(error);
      });
      send();
    });
    expect(status).toBe(413);
    expect(most - before).toBeLessThan(40 * 2 ** 20);
    expect((await client.models.list()).data).toHaveLength(2);
  });

  it("stop reading and are cut off; those that wait for the model are not", async () => {
    await begin({ stallTimeoutMs: 300, contextSize: 30_000 });
    const { socket, closed } = raw(whole({ model: "letters", prompt: "ab", max_tokens: 20_000, stream: true, n: 8 }));
    socket.once("data", () => socket.pause());
    await expect.poll(() => generator.asked.length).toBe(8);
    await expect.poll(() => generator.numRunning, { timeout: 10_000 }).toBe(0); // the slots are free long before
    await new Promise((resolve) => setTimeout(resolve, 1000));
    socket.resume();
    const { said } = await closed;
    expect(said).toMatch(/^HTTP\/1\.1 200 /);
    expect(said).not.toContain("[DONE]");
    generator.tokenMs = 1000;
    const patient = raw(whole({ model: "letters", prompt: "ab", max_tokens: 1 }));
    setTimeout(() => patient.socket.end(), 2000);
    expect((await patient.closed).said).toMatch(/"text":"b"/);
  });
});

describe("the server", () => {
  it("says in a line that its port is in use", async () => {
    await expect(serve({ ...letterOptions(generator), port: server.port })).rejects.toMatchObject({
      code: "SOURCE",
      reason: "EADDRINUSE",
      message: `serve: port ${server.port} of 127.0.0.1 is in use; expected a free one, got EADDRINUSE; choose another port, or 0 for any that is free`,
    });
    await expect(serve({ ...letterOptions(generator), port: 0, host: "192.0.2.1" })).rejects.toMatchObject({
      code: "SOURCE",
      reason: "EADDRNOTAVAIL",
    });
  });

  it("answers to addresses and localhost alone while there is no key, to the name that it was given, and with a key to any", async () => {
    const statusFor = async (name: string): Promise<string | undefined> => {
      const { said } = await raw(`GET /v1/models HTTP/1.1\r\nHost: ${name}\r\nAuthorization: Bearer secret\r\nConnection: close\r\n\r\n`)
        .closed;
      return said.split(" ")[1];
    };
    const right = [`127.0.0.1:${server.port}`, `LOCALHOST:${server.port}`, "models.localhost", "[::1]:8000", "10.1.2.3"];
    const wrong = [`evil.example:${server.port}`, "127.0.0.1.evil.example", "localhost.evil.example"];
    for (const name of right) expect(await statusFor(name), name).toBe("200");
    for (const name of wrong) expect(await statusFor(name), name).not.toBe("200");
    expect((await raw("GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").closed).said).toContain(
      'request: its Host is none that this server answers to; expected an IP address, localhost, got \\"evil.example\\"',
    );
    await begin({ host: "localhost", allowedHosts: ["my.machine"] });
    expect([await statusFor("My.Machine"), await statusFor("evil.example")]).toEqual(["200", "403"]);
    await begin({ apiKey: "secret" });
    expect(await statusFor("evil.example")).toBe("200");
  });

  it("takes IPv6 addresses", async () => {
    client = await begin({ host: "::1" });
    expect(server.url).toBe(`http://[::1]:${server.port}`);
    expect((await client.models.list()).data).toHaveLength(2);
  });

  it("closes when what runs has ended; what comes meanwhile gets 503", async () => {
    generator.tokenMs = 10;
    const running = client.completions.create({ model: "letters", prompt: "ab", max_tokens: 20 });
    await expect.poll(() => generator.numRunning).toBe(1);
    const closing = server.close();
    await expect(client.completions.create({ model: "letters", prompt: "ab" })).rejects.toMatchObject({ status: 503 });
    expect((await running).choices[0]!.text).toHaveLength(20);
    expect(await closing).toBe(0);
    await expect(client.models.list()).rejects.toBeInstanceOf(APIConnectionError);
  });

  it("cuts short what takes longer, and says so to the client", async () => {
    generator.tokenMs = 20;
    const running = client.completions.create({ model: "letters", prompt: "ab", max_tokens: 90 });
    running.catch(() => {}); // looked at below
    await expect.poll(() => generator.numRunning).toBe(1);
    expect(await server.close({ graceMs: 100 })).toBe(1);
    await expect(running).rejects.toMatchObject({ status: 503, code: "stopping" });
  });
});
