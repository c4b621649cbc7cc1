import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startLoopbackHub, type LoopbackHub } from "../../hub/src/testing/loopback-hub.js";
import { ktoProgram } from "./testing/kto-program.js";
import { errorLinesOf, hubEnv, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
let hub: LoopbackHub;
beforeEach(async () => {
  folder = temporaryFolder();
  hub = await startLoopbackHub();
  hub.addModel("owner/tiny", files);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const weights = new Uint8Array(3_000_000).map((_, index) => (index * 2_654_435_761) >>> 13);
const files = {
  "config.json": '{"model_type": "qwen2"}',
  "model.safetensors": weights,
  "tokenizer.json": "{}",
  [`onnx/${"long".repeat(30)}.onnx`]: "graph",
};
const totalBytes = Object.values(files).reduce((sum, content) => sum + content.length, 0);

const env = (more: Record<string, string> = {}): Record<string, string> => ({ ...hubEnv(hub, folder.file("cache")), ...more });
const download = (...argv: string[]): Promise<Outcome> => kto(["download", ...argv], { env: env() });

interface Result {
  path: string;
  files: string[];
  bytes: number;
}

describe("kto download", () => {
  it("fetches a repository into the cache, shows each file, and prints the folder", async () => {
    const { status, stdout, stderr } = await download("owner/tiny");
    expect({ status, errors: stderr.match(/error.*/g) }).toEqual({ status: 0, errors: null });
    const path = stdout.trimEnd();
    expect(path).toContain(folder.file("cache"));
    for (const [name, content] of Object.entries(files))
      expect(readFileSync(`${path}/${name}`).equals(Buffer.from(content)), name).toBe(true);
    expect(stderr).toMatch(/^model\.safetensors: 100% 3\.00M\/3\.00M \[00:0\d<00:00, .*B\/s\]$/m);
    expect(stderr).toMatch(/^onnx\/long\w+…\w+\.onnx: 100% 5\/5 /m);
    expect(stderr).toMatch(/^4 files, 3\.00MB$/m);
    expect(stderr).not.toContain("\u001b");
    for (const line of stderr.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("--json is one value and nothing else; what is there is not fetched again, and offline nothing is asked", async () => {
    const first = await download("owner/tiny", "--json");
    const result = JSON.parse(first.stdout) as Result;
    expect(result).toMatchObject({ bytes: totalBytes, files: expect.arrayContaining(Object.keys(files)) as unknown });
    expect(existsSync(`${result.path}/config.json`)).toBe(true);
    hub.reset();
    const second = await download("owner/tiny", "--json");
    expect(JSON.parse(second.stdout)).toEqual(result);
    expect(second.stderr).toBe("4 files, 3.00MB; all were in the cache\n");
    expect(hub.bytesServed()).toBe(0);
    hub.reset();
    const offline = await kto(["download", "owner/tiny", "--json"], { env: env({ HF_HUB_OFFLINE: "1" }) });
    expect(JSON.parse(offline.stdout)).toEqual(result);
    expect(hub.requests).toEqual([]);
  });

  it("chooses by patterns, repeated or in a row", async () => {
    const chosen = async (...flags: string[]): Promise<string[]> =>
      (JSON.parse((await download("owner/tiny", "--json", "--quiet", ...flags)).stdout) as Result).files.toSorted();
    expect(await chosen("--include", "*.json")).toEqual(["config.json", "tokenizer.json"]);
    expect(await chosen("--include", "tok*", "con*", "--exclude=tok*")).toEqual(["config.json"]);
    expect(await chosen("--include", "tok*", "--include", "*.safetensors")).toEqual(["model.safetensors", "tokenizer.json"]);
  });

  it("takes a revision, by flag or in the name, and data sets", async () => {
    hub.addModel("owner/tiny", { "config.json": "other" }, { revision: "v2" });
    hub.addDataset("owner/data", { "data/train.jsonl": "{}\n" });
    for (const argv of [["owner/tiny", "--revision", "v2"], ["owner/tiny@v2"]])
      expect(readFileSync(`${(await download(...argv)).stdout.trimEnd()}/config.json`, "utf8")).toBe("other");
    const data = await download("owner/data", "--repo-type", "dataset");
    expect(readFileSync(`${data.stdout.trimEnd()}/data/train.jsonl`, "utf8")).toBe("{}\n");
  });

  it("--quiet says nothing but the folder", async () => {
    expect((await download("owner/tiny", "--quiet")).stderr).toBe("");
  });

  it("never shows the token, and reads gated repositories with it", async () => {
    hub.addModel("owner/gated", files, { gated: true });
    const argv = ["download", "owner/gated", "--include", "*.json", "--debug"];
    const { status, stdout, stderr } = await kto(argv, { env: env({ HF_TOKEN: hub.token }) });
    expect(status).toBe(0);
    expect(stdout + stderr).not.toContain(hub.token);
    expect(hub.leaks).toEqual([]);
  });
});

describe("errors are one line, and nothing is on stdout", () => {
  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ["no name", [], {}, 2, /expected one name on the hub/],
    ["two names", ["a/b", "c/d"], {}, 2, /got a\/b c\/d/],
    ["a path", ["./models/tiny"], {}, 2, /download: not the name of a repository.*got ".\/models\/tiny"/],
    ["two revisions", ["owner/tiny@v1", "--revision", "v2"], {}, 2, /--revision: .*names a revision too/],
    ["a kind that is none", ["owner/tiny", "--repo_type", "space"], {}, 2, /one of model, dataset/],
    ["patterns that choose nothing", ["owner/tiny", "--include", "*.gguf"], {}, 2, /no file of owner\/tiny is chosen.*\*\.gguf/],
    ["an address that is none", ["owner/tiny"], { HF_ENDPOINT: "hub.example" }, 2, /HF_ENDPOINT: not the address of a hub.*"hub\.example"/],
    ["no such repository", ["owner/none"], {}, 2, /no model owner\/none/],
    ["a data set asked for as a model", ["owner/data"], {}, 2, /no model owner\/data/],
    ["no such revision", ["owner/tiny", "--revision", "v9"], {}, 2, /no revision "v9"/],
    ["gated, without a token", ["owner/gated"], {}, 2, /owner\/gated is gated and no token was sent.*HF_TOKEN/],
    [
      "gated, and the token has no access",
      ["owner/denied"],
      { HF_TOKEN: "hf_test" },
      2,
      /owner\/denied is gated and this token has no access/,
    ],
    ["a token that is not accepted", ["owner/tiny"], { HF_TOKEN: "hf_wrong" }, 2, /the token was not accepted/],
    ["offline, and not in the cache", ["owner/tiny"], { HF_HUB_OFFLINE: "1" }, 2, /owner\/tiny.*cache/],
  ])("%s", async (_what, argv, more, status, says) => {
    hub.addDataset("owner/data", { "train.jsonl": "{}" });
    hub.addModel("owner/gated", files, { gated: true });
    hub.addModel("owner/denied", files, { gated: "denied" });
    const outcome = await kto(["download", ...argv], { env: env(more) });
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).not.toMatch(/hf_|\n\s+at /);
  });

  it("a hub that is not there: status 1", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    const outcome = await kto(["download", "owner/tiny"], { env: env({ HF_ENDPOINT: `http://127.0.0.1:${port}` }) });
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/error\[HUB\].*127\.0\.0\.1/)]);
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
  });

  it("a hub that keeps silent at first: that it is waited for is said", async () => {
    let delayMs = 3500;
    hub.fault = () => {
      const fault = { delayMs };
      delayMs = 0;
      return fault;
    };
    const outcome = await download("owner/tiny");
    hub.fault = () => undefined;
    expect(outcome.stderr).toMatch(/^waiting for http:\/\/127\.0\.0\.1:\d+\n/);
    expect(outcome.status).toBe(0);
  });

  it("bytes that are not those announced: status 1, and the next run is whole", async () => {
    hub.fault = ({ host }) => (host === "storage" ? { corrupt: true } : undefined);
    const outcome = await download("owner/tiny");
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/error\[HUB\].*model\.safetensors/)]);
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    hub.fault = () => undefined;
    expect((await download("owner/tiny", "--quiet")).status).toBe(0);
  });
});

describe("interrupted", () => {
  /** The weights take 3 seconds. */
  const slow = (): void => void (hub.fault = ({ host }) => (host === "storage" ? { bytesPerSecond: 1_000_000 } : undefined));

  /** Runs the command again: it is done, and has fetched only what was missing. */
  async function expectRest(before: number): Promise<void> {
    expect(before).toBeGreaterThan(300_000);
    hub.fault = () => undefined;
    hub.reset();
    const again = await download("owner/tiny", "--json");
    expect({ status: again.status, errors: errorLinesOf(again) }).toEqual({ status: 0, errors: [] });
    const { path } = JSON.parse(again.stdout) as Result;
    expect(readFileSync(`${path}/model.safetensors`).equals(weights)).toBe(true);
    expect(hub.bytesServed()).toBeLessThanOrEqual(weights.byteLength - before + 600_000); // what was on its way counts as not there
    expect(hub.bytesServed()).toBeLessThan(weights.byteLength);
    expect(readdirSync(folder.file("cache"), { recursive: true }).filter((name) => /incomplete|\.tmp$/.test(String(name)))).toEqual([]);
  }

  it("by the signal of the caller: 130, what has arrived is kept", async () => {
    slow();
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("stop")), 1500);
    const outcome = await kto(["download", "owner/tiny"], { env: env(), signal: stop.signal });
    expect(outcome).toMatchObject({ status: 130, stdout: "" });
    expect(outcome.stderr).toMatch(/^kto: interrupted; what was downloaded is kept, and the same command goes on from there\n$/m);
    await expectRest(hub.bytesServed());
  });

  it.each([
    ["SIGINT", 130],
    ["SIGKILL", null],
  ] as const)("by %s: the next run goes on from there", { timeout: 120_000 }, async (signal, status) => {
    slow();
    const child = start();
    let stderr = "";
    child.stderr!.on("data", (part: Buffer) => (stderr += part.toString()));
    await vi.waitUntil(() => hub.bytesServed() > 1_500_000, { timeout: 60_000, interval: 20 });
    child.kill(signal);
    const [exit] = (await once(child, "exit")) as [number | null];
    expect(exit, stderr).toBe(status);
    if (signal === "SIGINT") expect(stderr).toContain("the same command goes on from there");
    await expectRest(1_000_000);
  });

  /** `kto download` as a process of its own. */
  function start(): ChildProcess {
    return spawn(process.execPath, [...ktoProgram, "download", "owner/tiny"], {
      env: { ...process.env, ...env() },
      stdio: ["ignore", "ignore", "pipe"],
    });
  }
});

it("a file of the cache cannot be made: status 1", async () => {
  writeFileSync(folder.file("cache"), "a file where the cache should be");
  const outcome = await download("owner/tiny");
  expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/error\[HUB\].*cache/)]);
  expect(outcome).toMatchObject({ status: 1, stdout: "" });
});
