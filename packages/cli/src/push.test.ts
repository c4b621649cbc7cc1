import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startPushHub, type PushHub } from "../../hub/src/testing/loopback-push.js";
import { ktoProgram } from "./testing/kto-program.js";
import { errorLinesOf, hubEnv, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
let hub: PushHub;
beforeEach(async () => {
  folder = temporaryFolder();
  hub = await startPushHub();
  mkdirSync(folder.file("run", "checkpoint-5"), { recursive: true });
  writeFileSync(folder.file("run", "adapter_model.safetensors"), new Uint8Array(2_000_000).fill(7));
  writeFileSync(folder.file("run", "adapter_config.json"), '{"peft_type": "LORA"}');
  writeFileSync(folder.file("run", "checkpoint-5", "optimizer.safetensors"), "moments");
  writeFileSync(folder.file("run", ".kto.lock"), "{}");
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const env = (more: Record<string, string> = {}): Record<string, string> => ({ ...hubEnv(hub, folder.file("cache")), HF_TOKEN: hub.token, ...more }); // prettier-ignore
const push = (...argv: string[]): Promise<Outcome> => kto(["push", folder.file("run"), ...argv], { env: env() });
const paths = (branch?: string): string[] => Object.keys(hub.texts("model/owner/run", branch)).sort();

describe("kto push", () => {
  it("pushes a folder with a card, shows each file, and prints the address", async () => {
    const { status, stdout, stderr } = await push("--repo", "owner/run");
    expect({ status, errors: stderr.match(/error.*/g) }).toEqual({ status: 0, errors: null });
    expect(stdout).toMatch(new RegExp(`^${hub.endpoint}/owner/run/commit/[0-9a-f]{40}\n$`));
    expect(paths()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors"]);
    expect(stderr).toMatch(/^adapter_model\.safetensors: 100% 2\.00M\/2\.00M \[00:0\d<00:00, .*B\/s\]$/m);
    expect(stderr).toContain("note: checkpoint-5: not pushed; --checkpoints pushes them too\n");
    expect(stderr).toContain("note: .kto.lock: not pushed (hidden, locks, temporary files)\n");
    for (const line of stderr.split("\n").filter((text) => !text.startsWith("note: "))) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("--json is url and commit; what is there already makes no commit", async () => {
    const first = await push("--repo", "owner/run", "--json", "--quiet");
    const { url, commit, ...rest } = JSON.parse(first.stdout) as Record<string, string>;
    expect({ rest, stderr: first.stderr }).toEqual({ rest: {}, stderr: "" });
    expect(url).toBe(`${hub.endpoint}/owner/run/commit/${commit}`);
    hub.received = 0;
    const second = await push("--repo", "owner/run", "--json");
    expect(JSON.parse(second.stdout)).toEqual({ url, commit });
    expect(second.stderr).toContain("the hub has all of this already; there is no new commit");
    expect(hub.received).toBe(0);
  });

  it("takes the flags of the contract", async () => {
    expect(
      (await push("--repo", "owner/run", "--private", "--commit-message", "First", "--exclude", "*.json", "--checkpoints")).status,
    ).toBe(0);
    expect(hub.repos.get("model/owner/run")).toMatchObject({ private: true });
    expect(hub.repos.get("model/owner/run")!.branches.get("main")![1]!.summary).toBe("First");
    expect(paths()).toEqual(["README.md", "adapter_model.safetensors", "checkpoint-5/optimizer.safetensors"]);
    expect((await push("--repo", "owner/run", "--revision", "dev", "--license", "mit")).status).toBe(0);
    expect(hub.texts("model/owner/run", "dev")["README.md"]).toContain("\nlicense: mit\n");
    writeFileSync(folder.file("run", "more.txt"), "more");
    expect((await push("--repo", "owner/run", "--create-pr")).stdout).toBe(`${hub.endpoint}/owner/run/discussions/1\n`);
    const { status } = await kto(["push", folder.file("run"), "--repo", "owner/rows", "--repo_type", "dataset", "--token", hub.token], { env: env({ HF_TOKEN: "" }) }); // prettier-ignore
    expect(status).toBe(0);
    expect(Object.keys(hub.texts("dataset/owner/rows"))).not.toContain("README.md");
  });

  it("says which secrets and links stay behind, also when quiet, and never shows a token", async () => {
    writeFileSync(folder.file("run", ".env"), "A=b");
    writeFileSync(folder.file("run", "notes.txt"), `hf_${"x".repeat(34)}`);
    symlinkSync("/etc/hostname", folder.file("run", "link"));
    const { status, stdout, stderr } = await push("--repo", "owner/run", "--quiet");
    expect(status).toBe(0);
    expect(stderr).toContain("warning: .env stays behind: it is, or holds, a token or a key\n");
    expect(stderr).toContain("warning: notes.txt stays behind");
    expect(stderr).toContain("warning: link stays behind: a link that leads to no file of this folder\n");
    expect(paths()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors"]);
    expect(stdout + stderr).not.toMatch(/hf_/);
  });
});

describe("errors are one line, and nothing is on stdout", () => {
  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ["no folder", ["--repo", "owner/run"], {}, 2, /push: not usable; expected one folder, got none/],
    ["two folders", ["RUN", "RUN", "--repo", "owner/run"], {}, 2, /expected one folder/],
    ["no repository", ["RUN"], {}, 2, /--repo: missing/],
    ["a name without an owner", ["RUN", "--repo", "run"], {}, 2, /--repo: run has no owner; expected owner\/name/],
    ["a path for a name", ["RUN", "--repo", "./run"], {}, 2, /--repo: not the name of a repository/],
    ["two branches", ["RUN", "--repo", "owner/run@a", "--revision", "b"], {}, 2, /--revision: .*names a branch too/],
    ["a flag that is none", ["RUN", "--repo", "owner/run", "--privat"], {}, 2, /--privat: there is no such field; did you mean private\?/],
    ["a licence that is none", ["RUN", "--repo", "owner/run", "--license", "My: own"], {}, 2, /--license: not usable/],
    ["a folder that is not there", ["RUN/none", "--repo", "owner/run"], {}, 2, /none cannot be read; .*got no such path/],
    ["a file", ["RUN/adapter_config.json", "--repo", "owner/run"], {}, 2, /got a file/],
    ["patterns that choose nothing", ["RUN", "--repo", "owner/run", "--include", "*.gguf"], {}, 2, /has nothing to push/],
    ["no token", ["RUN", "--repo", "owner/run"], { HF_TOKEN: "" }, 2, /there is no token.*set HF_TOKEN/],
    ["a token that is none", ["RUN", "--repo", "owner/run", "--token", "hf a"], {}, 2, /this is no token/],
    ["a wrong token", ["RUN", "--repo", "owner/run"], { HF_TOKEN: "hf_wrong" }, 2, /the token was not accepted/],
    ["another's repository", ["RUN", "--repo", "other/run"], {}, 2, /this token may not write to other\/run/],
    ["offline", ["RUN", "--repo", "owner/run"], { HF_HUB_OFFLINE: "1" }, 2, /HF_HUB_OFFLINE is set/],
    ["an address that is none", ["RUN", "--repo", "owner/run"], { HF_ENDPOINT: "hub.example" }, 2, /HF_ENDPOINT: not the address of a hub/],
  ])("%s", async (_what, argv, more, status, says) => {
    const outcome = await kto(["push", ...argv.map((word) => word.replace(/^RUN/, folder.file("run")))], { env: env(more) });
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).not.toMatch(/hf_|hf a|\n\s+at /);
    expect(hub.repos.get("model/owner/run")?.branches.get("main")?.length ?? 1).toBe(1);
  });
});

it("a hub that is not there: status 1", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const argv = ["push", folder.file("run"), "--repo", "owner/run", "--card", "false"];
  const outcome = await kto(argv, { env: env({ HF_ENDPOINT: `http://127.0.0.1:${port}` }) });
  expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/error\[HUB\]: push: 127\.0\.0\.1:\d+: .*ECONNREFUSED/)]);
  expect(outcome).toMatchObject({ status: 1, stdout: "" });
});

it("Ctrl-C ends it with 130 and nothing published, and the same command sends the rest", async () => {
  hub.partSize = 500_000;
  const name = ["push", folder.file("run"), "--repo", "owner/run"];
  const child = spawn(process.execPath, [...ktoProgram, ...name], { env: { ...process.env, ...env() }, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => (said += text.toString()));
  hub.fault = ({ host, path }) => (host === "storage" && /[34]$/.test(path) ? { delayMs: 4000 } : undefined);
  const notes = folder.file("cache", ".locks", "kto-uploads");
  const numArrived = (): number => {
    const [file] = existsSync(notes) ? readdirSync(notes).filter((name) => name.endsWith(".json")) : [];
    if (file === undefined) return 0;
    return (JSON.parse(readFileSync(`${notes}/${file}`, "utf8")) as { etags: string[] }).etags.filter((etag) => etag !== "").length;
  };
  while (numArrived() < 2) await sleep(20);
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number];
  expect({ code, said }).toEqual({ code: 130, said: expect.stringContaining("nothing of this was published, and the same command sends what is missing") as unknown }); // prettier-ignore
  expect(hub.repos.get("model/owner/run")!.branches.get("main")).toHaveLength(1);
  hub.fault = () => undefined;
  hub.requests.length = 0;
  expect((await kto(name, { env: env() })).status).toBe(0);
  expect(hub.requested().filter((request) => request === "PUT storage")).toHaveLength(2);
  expect(paths()).toContain("adapter_model.safetensors");
});
