import { spawn, type ChildProcess } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { cpSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, describe, expect, it } from "vitest";
import { ktoProgram } from "./testing/kto-program.js";
import { errorLinesOf, kto, temporaryFolder } from "./testing/run-kto.js";

const model = fileURLToPath(new URL("../../../examples/quickstart/model", import.meta.url));

/** A server as a process of its own, and what it says. */
interface Serving {
  child: ChildProcess;
  url: string;
  stdout: string;
  stderr: string;
  ended: Promise<number | null>;
}
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function start(flags: readonly string[] = [], env: Record<string, string> = {}): Promise<Serving> {
  const argv = [...ktoProgram, "serve", "--model", model, "--port", "0", "--device", "software", ...flags];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  children.push(child);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const serving: Serving = { child, url: "", stdout: "", stderr: "", ended };
  child.stderr.setEncoding("utf8").on("data", (text: string) => (serving.stderr += text));
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      serving.stdout += text;
      if (serving.stdout.endsWith("\n")) resolve();
    });
    child.on("close", () => reject(new Error(serving.stderr)));
  });
  serving.url = /^listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(serving.stdout)![1]!;
  return serving;
}

const ask = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ model: "model", prompt: "3 + 4", ...body }),
  });

describe("kto serve", () => {
  it("says where it listens, answers with its flags for defaults, and ends in good order", async () => {
    const serving = await start(["--temperature", "0", "--max_new_tokens", "1", "--max-queue", "5", "--ctx-size", "32"], {
      KTO_API_KEY: "secret",
    });
    expect((await ask(serving.url, {})).status).toBe(401);
    const key = { authorization: "Bearer secret" };
    const answer = (await (await ask(serving.url, {}, key)).json()) as { usage: object; choices: { text: string }[] };
    expect(answer.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 1 });
    expect(answer.choices[0]!.text).toHaveLength(1);
    const long = await ask(serving.url, { prompt: "3 + 4 + 3 + 4 + 3 + 4 + 3 + 4 + 3 + 4 + 3 + 4 + 3 + 4 + 3 + 4 + 3 + 4" }, key);
    expect([long.status, ((await long.json()) as { error: { code: string } }).error.code]).toEqual([400, "context_length_exceeded"]);
    serving.child.kill("SIGTERM");
    expect(await serving.ended).toBe(130);
    expect(serving.stdout).toMatch(/^listening on .*\n$/);
    expect(serving.stderr).toMatch(/^limits +32 tokens of context, 32 answers together, 5 requests that wait$/m);
    expect(serving.stderr).toMatch(/^POST \/v1\/completions 200, 3 \+ 1 tokens, \d+\.\d\d s$/m);
    expect(serving.stderr).toMatch(/^kto: stopped; 3 requests were answered$/m);
  }, 120_000);

  it("lets what runs end when it is interrupted, and takes no more", async () => {
    const serving = await start();
    const running = await ask(serving.url, { stream: true, max_tokens: 60, n: 4, temperature: 1 });
    const texts = running.text();
    serving.child.kill("SIGINT");
    await expect.poll(() => serving.stderr, { timeout: 60_000 }).toContain("stopping in good order");
    const late = await ask(serving.url, {}).then(
      ({ status }) => status,
      () => 503, // it has stopped altogether
    );
    expect(late).toBe(503);
    expect(await texts).toMatch(/data: \[DONE\]\n\n$/);
    expect(await serving.ended).toBe(130);
  }, 120_000);

  it("says what is wrong before a model is loaded, and ends with status 2", async () => {
    using folder = temporaryFolder();
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const refused = async (flags: readonly string[], env: Record<string, string> = {}): Promise<string[]> => {
      const outcome = await kto(["serve", "--model", folder.file("no-such-model"), ...flags], { env });
      expect([outcome.status, outcome.stdout]).toEqual([2, ""]);
      return errorLinesOf(outcome);
    };
    expect(await refused(["--port", String(port)])).toEqual([
      `kto: error[SOURCE]: serve: port ${port} of 127.0.0.1 is in use; expected a free one, got EADDRINUSE; choose another port, or 0 for any that is free`,
    ]);
    taken.close();
    expect(await refused(["--adapter", "a=x", "--adapter", "a=y"])).toEqual([expect.stringContaining('two are named "a"')]);
    expect(await refused(["--adapter", "no-such-model=x"])).toEqual([expect.stringContaining("is the base model's name")]);
    expect(
      await refused(["--port", "70000", "--cors", "example.org", "--top_p", "2", "--max-queue", "-1", "--api-key", "a b"]),
    ).toHaveLength(5);
    expect(await refused([], { KTO_API_KEY: "" })).toEqual([expect.stringContaining("KTO_API_KEY: not usable")]);
    expect(await refused(["--port", "0"])).toEqual([expect.stringContaining("no-such-model")]);
  });

  it("has help that fits 80 columns", async () => {
    const { status, stdout } = await kto(["serve", "--help"]);
    expect(status).toBe(0);
    for (const flag of ["--adapter", "--host", "--port", "--api_key", "--max_queue", "--ctx_size", "--cors", "--temperature"])
      expect(stdout).toContain(`\n  ${flag}`);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("refuses a model without a tokenizer", async () => {
    using folder = temporaryFolder();
    mkdirSync(folder.file("bare"));
    for (const name of ["config.json", "model.safetensors"]) cpSync(fixturePath("model", name), folder.file("bare", name));
    const outcome = await kto(["serve", "--model", folder.file("bare"), "--port", "0"]);
    expect(outcome.status).toBe(2);
    expect(errorLinesOf(outcome)).toEqual([expect.stringContaining("has no tokenizer; expected tokenizer.json beside it")]);
  });

  it("warns of a server that others may reach without a key", async () => {
    const ending = new AbortController();
    const outcome = await kto(["serve", "--model", model, "--host", "0.0.0.0", "--port", "0"], {
      signal: ending.signal,
      onStderr: (text) => text.includes("there is no key") && setTimeout(() => ending.abort(new Error("enough")), 10),
    });
    expect(outcome.stderr).toContain("warning: whoever reaches 0.0.0.0 is answered");
    expect(outcome.stdout).toMatch(/^listening on http:\/\/0\.0\.0\.0:\d+\n$/);
    expect(outcome.status).toBe(130);
  }, 60_000);
});
