import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { FileProgress } from "../node/options.js";
import { type PushedRepo, type PushHub, startPushHub } from "../testing/loopback-push.js";
import { checkPush } from "./check-push.js";
import type { LeftOutFile } from "./folder-files.js";
import type { PushOptions, PushResult } from "./options.js";
import { pushFolder } from "./push-folder.js";

let hub: PushHub;
let scratch: string;
let folder: string;
const weights = new Uint8Array(300_000).map((_, index) => (index * 31) % 251);

beforeEach(async () => {
  hub = await startPushHub();
  scratch = await mkdtemp(join(tmpdir(), "kto-push-"));
  folder = join(scratch, "adapter");
  await mkdir(join(folder, "checkpoint-1"), { recursive: true });
  await mkdir(join(folder, ".git"));
  await writeFile(join(folder, "adapter_model.safetensors"), weights);
  await writeFile(join(folder, "adapter_config.json"), '{"peft_type": "LORA"}');
  await writeFile(join(folder, "checkpoint-1", "optimizer.safetensors"), "moments");
  await writeFile(join(folder, "empty.txt"), "");
  await writeFile(join(folder, ".kto.lock"), "1");
  await writeFile(join(folder, ".git", "HEAD"), "ref");
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

const push = (options: Partial<PushOptions> = {}): Promise<PushResult> =>
  pushFolder(folder, { repo: "owner/adapter", token: hub.token, endpoint: hub.endpoint, cacheDir: join(scratch, "cache"), ...options });
const repo = (key = "model/owner/adapter"): PushedRepo => hub.repos.get(key)!;
const uploads = (): number => hub.requested().filter((request) => request === "PUT storage").length;

it("makes the repository and commits the folder at once: large files through large-file storage, checkpoints when asked for", async () => {
  const states: FileProgress[] = [];
  const { url, commit, changed } = await push({ commitMessage: "Trained", onProgress: (progress) => states.push(progress) });
  expect(commit).toMatch(/^[0-9a-f]{40}$/);
  expect(url).toBe(`${hub.endpoint}/owner/adapter/commit/${commit}`);
  expect(changed).toEqual(["adapter_config.json", "adapter_model.safetensors", "empty.txt"]);
  const [, made, ...more] = repo().branches.get("main")!;
  expect(more).toEqual([]);
  expect(made).toMatchObject({ id: commit, summary: "Trained", lfsPaths: ["adapter_model.safetensors"] });
  expect(Buffer.compare(made!.files.get("adapter_model.safetensors")!, weights)).toBe(0);
  expect(hub.texts()["adapter_config.json"]).toBe('{"peft_type": "LORA"}');
  expect(hub.leaks).toEqual([]); // the token stays with the hub
  const ofWeights = states.filter(({ name }) => name === "adapter_model.safetensors");
  expect(ofWeights.map(({ state }) => state)).toEqual(expect.arrayContaining(["start", "done"]));
  expect(ofWeights.at(-1)).toMatchObject({ state: "done", loadedBytes: 300_000, totalBytes: 300_000 });
  expect(await push({ checkpoints: true })).toMatchObject({ changed: ["checkpoint-1/optimizer.safetensors"] });
});

it("what the hub has is not sent again, and nothing new makes no commit", async () => {
  const first = await push();
  await writeFile(join(folder, "README.md"), "mine");
  const before = uploads();
  expect((await push({ files: { "curve.svg": "<svg/>" } })).changed).toEqual(["README.md", "curve.svg"]);
  expect(uploads()).toBe(before);
  const states: FileProgress[] = [];
  const { commit, url, changed } = await push({ onProgress: (event) => states.push(event) });
  expect(changed).toEqual([]);
  expect(commit).not.toBe(first.commit);
  expect(url).toBe(`${hub.endpoint}/owner/adapter/commit/${commit}`);
  expect(repo().branches.get("main")).toHaveLength(3);
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(["cached"]));
  // Renamed, it is the same object.
  await rm(join(folder, "adapter_model.safetensors"));
  await writeFile(join(folder, "model.safetensors"), weights);
  expect((await push()).changed).toEqual(["model.safetensors"]);
  expect(uploads()).toBe(before);
});

it("a private repository, a data set, a branch, a pull request", async () => {
  await push({ private: true });
  expect(repo().private).toBe(true);
  await push({ private: true, repo: "owner/adapter@dev", files: { "a.txt": "a" } });
  expect(hub.texts("model/owner/adapter", "dev")["a.txt"]).toBe("a");
  expect(hub.texts()["a.txt"]).toBeUndefined();
  await push({ repo: "owner/rows", repoType: "dataset" });
  expect(hub.repos.has("dataset/owner/rows")).toBe(true);
  hub.requests.length = 0;
  const { url } = await push({ createPr: true, files: { "b.txt": "b" } });
  expect(url).toBe(`${hub.endpoint}/owner/adapter/discussions/1`);
  expect(hub.texts()["b.txt"]).toBeUndefined();
  expect(hub.requested()).not.toContain("POST /api/repos/create");
});

it("does not put a private push where everybody can read it", async () => {
  await push();
  await expect(push({ private: true, files: { "new.txt": "new" } })).rejects.toMatchObject({
    code: "HUB",
    reason: "refused",
    message: expect.stringContaining("exists and is public"),
  });
  expect(repo().branches.get("main")).toHaveLength(2);
});

it("pushes to a repository that the token may write to but not make", async () => {
  await push();
  hub.fault = ({ path }) => (path === "/api/repos/create" ? { status: 403 } : undefined);
  await push({ files: { "new.txt": "new" } });
  expect(hub.texts()["new.txt"]).toBe("new");
});

it("says what is missing before anything is sent", async () => {
  await expect(push({ token: " " })).rejects.toMatchObject({ reason: "unauthorized", message: expect.stringContaining("set HF_TOKEN") });
  const badToken = push({ token: "hf_a\nb" });
  await expect(badToken).rejects.toMatchObject({ reason: "unauthorized", message: expect.not.stringContaining("hf_a") as unknown });
  await expect(push({ repo: "adapter" })).rejects.toThrow("adapter has no owner");
  await expect(push({ repo: "../adapter" })).rejects.toMatchObject({ code: "HUB", reason: "repoId" });
  await expect(push({ revision: "a..b" })).rejects.toMatchObject({ reason: "revisionNotFound" });
  await expect(push({ endpoint: "nonsense" })).rejects.toMatchObject({ reason: "unreachable" });
  await expect(push({ include: ["*.gguf"] })).rejects.toThrow("has nothing to push");
  await expect(push({ files: { "../out": "" } })).rejects.toMatchObject({ reason: "fileName" });
  const options = { repo: "owner/adapter", token: hub.token, endpoint: hub.endpoint };
  await expect(pushFolder(join(folder, "none"), options)).rejects.toThrow("cannot be read; expected a folder with files, got no such path");
  await expect(pushFolder(join(folder, "empty.txt"), options)).rejects.toThrow("got a file");
  expect(hub.requests).toEqual([]);
});

it("secrets, links out of the folder, hidden and unfinished files and checkpoints stay behind, and it is said", async () => {
  const pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n";
  const files = {
    ".env": "HF_TOKEN=x",
    "prod.env": "A=b",
    token: "hf",
    id_rsa: "key",
    "id_rsa.pub": "ssh-rsa AAAA",
    "server.pem": "cert",
    "notes.txt": `my key: hf_${"a".repeat(34)}`,
    "key.md": pem,
    "model.safetensors.0123abcd.tmp": "half",
    "run.lock": "",
    ".DS_Store": "",
    "tokenizer.json": '{"token": "hf_"}',
    "tokens.md": "how tokens are counted",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await writeFile(join(scratch, "secret.txt"), "outside");
  await symlink(join(scratch, "secret.txt"), join(folder, "link.txt"));
  await symlink(scratch, join(folder, "above"));
  await symlink("nowhere", join(folder, "broken"));
  await symlink("adapter_config.json", join(folder, "inside.json"));
  await symlink(".env", join(folder, "settings.txt"));
  const socket = createServer().listen(join(folder, "socket"));
  await once(socket, "listening");
  const leftOut: LeftOutFile[] = [];
  await push({ onLeftOut: (file) => leftOut.push(file) });
  const of = (reason: string): string[] => leftOut.filter((file) => file.reason === reason).map(({ path }) => path).sort(); // prettier-ignore
  expect(of("secret")).toEqual([".env", "id_rsa", "key.md", "notes.txt", "prod.env", "server.pem", "token"]);
  expect(of("link")).toEqual(["above", "broken", "link.txt", "settings.txt"]);
  expect(of("checkpoint")).toEqual(["checkpoint-1"]);
  expect(of("work")).toEqual([".DS_Store", ".git", ".kto.lock", "model.safetensors.0123abcd.tmp", "run.lock"]);
  expect(of("special")).toEqual(["socket"]);
  socket.close();
  expect(Object.keys(hub.texts()).sort()).toEqual([
    "adapter_config.json",
    "adapter_model.safetensors",
    "empty.txt",
    "id_rsa.pub",
    "inside.json",
    "tokenizer.json",
    "tokens.md",
  ]);
  expect(hub.texts()["inside.json"]).toBe('{"peft_type": "LORA"}');
});

it("a snapshot of the hub's cache is pushed with what its links lead to", async () => {
  const cached = join(scratch, "models--owner--name");
  const snapshot = join(cached, "snapshots", "0123");
  await mkdir(join(cached, "blobs"), { recursive: true });
  await mkdir(snapshot, { recursive: true });
  await writeFile(join(cached, "blobs", "abc"), "{}");
  await symlink("../../blobs/abc", join(snapshot, "config.json"));
  await pushFolder(snapshot, { repo: "owner/name", token: hub.token, endpoint: hub.endpoint });
  expect(hub.texts("model/owner/name")).toEqual({ "config.json": "{}" });
});

it("checkPush: the owner of a name, and what may be written, before there is anything to push", async () => {
  const check = (name: string, more: object = {}): ReturnType<typeof checkPush> =>
    checkPush({ repo: name, token: hub.token, endpoint: hub.endpoint, ...more });
  expect(await check("run", { private: true })).toEqual({ repo: "owner/run", url: `${hub.endpoint}/owner/run` });
  expect(repo("model/owner/run")).toMatchObject({ private: true });
  expect(repo("model/owner/run").branches.get("main")).toHaveLength(1); // nothing was written
  hub.repos.set("model/other/run", repo("model/owner/run"));
  await expect(check("other/run")).rejects.toMatchObject({ reason: "unauthorized", status: 403 });
  await expect(check("other/new")).rejects.toMatchObject({ reason: "unauthorized", message: expect.stringContaining("may not write to") });
  await expect(check("a b")).rejects.toMatchObject({ reason: "repoId" });
  await expect(check("run", { token: "hf_wrong" })).rejects.toMatchObject({ status: 401 });
  hub.role = "read";
  await expect(check("run")).rejects.toThrow("this token only reads; expected one that may write to run, got the role read");
});
