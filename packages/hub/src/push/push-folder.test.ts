import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type PushHub, startPushHub } from "../testing/loopback-push.js";
import { pushFolder, type PushOptions, type PushProgress, type PushResult } from "./push-folder.js";

let hub: PushHub;
let folder: string;
const weights = new Uint8Array(300_000).map((_, index) => (index * 31) % 251);

beforeEach(async () => {
  hub = await startPushHub();
  folder = await mkdtemp(join(tmpdir(), "kto-push-"));
  await mkdir(join(folder, "checkpoint-1"));
  await mkdir(join(folder, ".git"));
  await writeFile(join(folder, "adapter_model.safetensors"), weights);
  await writeFile(join(folder, "adapter_config.json"), '{"peft_type": "LORA", "base_model_name_or_path": "owner/base"}');
  await writeFile(join(folder, "checkpoint-1", "optimizer.safetensors"), "moments");
  await writeFile(join(folder, "empty.txt"), "");
  await writeFile(join(folder, ".kto.lock"), "1");
  await writeFile(join(folder, ".git", "HEAD"), "ref");
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const push = (options: Partial<PushOptions> = {}): Promise<PushResult> =>
  pushFolder(folder, { repo: "owner/adapter", token: "hf_test", endpoint: hub.endpoint, ...options });
const text = (path: string, repo = "model/owner/adapter"): string => new TextDecoder().decode(hub.repos.get(repo)!.files.get(path));

it("makes the repository and commits the folder at once: large files through LFS, and a card", async () => {
  const states: PushProgress[] = [];
  const result = await push({ commitMessage: "Trained", onProgress: (progress) => states.push(progress) });
  expect(result.commit).toMatch(/^[0-9a-f]{40}$/);
  expect(result.url).toBe(`${hub.endpoint}/owner/adapter/commit/${result.commit}`);
  const { files, commits, ...repo } = hub.repos.get("model/owner/adapter")!;
  expect(repo).toEqual({ private: false });
  expect([...files.keys()].sort()).toEqual([
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "checkpoint-1/optimizer.safetensors",
    "empty.txt",
  ]);
  expect(Buffer.compare(files.get("adapter_model.safetensors")!, weights)).toBe(0);
  expect(text("README.md")).toBe("---\nbase_model: owner/base\nlibrary_name: peft\n---\n\n# adapter\n");
  expect(commits).toEqual([
    {
      summary: "Trained",
      branch: "main",
      isPullRequest: false,
      lfsPaths: ["adapter_model.safetensors", "checkpoint-1/optimizer.safetensors"],
    },
  ]);
  expect(hub.leaks).toEqual([]); // the token stays with the hub
  expect(states.filter(({ name }) => name === "adapter_model.safetensors").map(({ state }) => state)).toEqual(
    expect.arrayContaining(["hash", "upload", "done"]),
  );
  expect(states.at(-1)).toMatchObject({ state: "done", name: "README.md" });
});

it("a second push sends no large file again, and keeps the folder's own card", async () => {
  await push();
  await writeFile(join(folder, "README.md"), "mine");
  const uploads = (): number => hub.requests.filter((request) => request === "PUT storage").length;
  const before = uploads();
  await push({ include: ["README.md", "*.safetensors"], exclude: ["checkpoint-*"] });
  expect(uploads()).toBe(before);
  expect(text("README.md")).toBe("mine");
  expect(hub.repos.get("model/owner/adapter")!.commits[1]!.lfsPaths).toEqual(["adapter_model.safetensors"]);
});

it("a private repository, a data set, a branch, a pull request", async () => {
  await push({ private: true });
  expect(hub.repos.get("model/owner/adapter")!.private).toBe(true);
  await push({ private: true, repo: "owner/adapter@dev" });
  expect(hub.repos.get("model/owner/adapter")!.commits[1]!.branch).toBe("dev");
  await push({ repo: "owner/rows", repoType: "dataset" });
  expect(hub.repos.has("dataset/owner/rows")).toBe(true);
  hub.requests.length = 0;
  expect((await push({ createPr: true })).url).toBe(`${hub.endpoint}/owner/adapter/discussions/1`);
  expect(hub.requests).not.toContain("POST /api/repos/create");
});

it("does not put a private push where everybody can read it", async () => {
  await push();
  await expect(push({ private: true })).rejects.toMatchObject({
    code: "HUB",
    reason: "refused",
    message: expect.stringContaining("exists and is public"),
  });
  expect(hub.repos.get("model/owner/adapter")!.commits).toHaveLength(1);
});

it("pushes to a repository that the token may write to but not make", async () => {
  hub.repos.set("model/team/shared", { private: false, files: new Map(), commits: [] });
  hub.refuse = (request) => (request === "POST /api/repos/create" ? 403 : undefined);
  await push({ repo: "team/shared" });
  expect(hub.repos.get("model/team/shared")!.commits).toHaveLength(1);
});

it.each<[string, number, string, object]>([
  ["POST /api/repos/create", 401, "the token was not accepted", { reason: "unauthorized", status: 401 }],
  ["POST /api/models/owner/adapter/preupload/main", 403, "may not write to owner/adapter", { reason: "refused", status: 403 }],
  ["POST /api/models/owner/adapter/commit/main", 409, "changed while it was pushed to", { reason: "refused", status: 409 }],
  ["POST /owner/adapter.git/info/lfs/objects/batch", 404, "no model owner/adapter with a branch", { reason: "repoNotFound", status: 404 }],
  ["POST /api/models/owner/adapter/commit/main", 500, "refused the push", { reason: "refused", status: 500 }],
])("%s answers %i: %s", async (request, status, says, facts) => {
  hub.refuse = (asked) => (asked === request ? status : undefined);
  await expect(push()).rejects.toMatchObject({ code: "HUB", repo: "owner/adapter", message: expect.stringContaining(says), ...facts });
});

it("says what is missing before anything is sent", async () => {
  await expect(push({ token: "" })).rejects.toMatchObject({ reason: "unauthorized", message: expect.stringContaining("set HF_TOKEN") });
  await expect(push({ repo: "adapter" })).rejects.toThrow("adapter has no owner");
  await expect(push({ repo: "../adapter" })).rejects.toMatchObject({ code: "HUB", reason: "repoId" });
  await expect(push({ include: ["*.gguf"] })).rejects.toThrow("has nothing to push");
  await expect(pushFolder(join(folder, "none"), { repo: "owner/adapter" })).rejects.toThrow("cannot be listed");
  expect(hub.requests).toEqual([]);
});

it("another owner's name, a wrong token, no hub at all", async () => {
  await expect(push({ repo: "other/adapter" })).rejects.toThrow("may not write to other/adapter");
  await expect(push({ token: "hf_wrong" })).rejects.toMatchObject({ reason: "unauthorized" });
  await expect(push({ endpoint: "http://127.0.0.1:1" })).rejects.toMatchObject({
    reason: "unreachable",
    message: expect.stringContaining("broke off"),
  });
  await expect(push({ endpoint: "nonsense" })).rejects.toMatchObject({ reason: "unreachable" });
});

it("an abort ends the push with its reason", async () => {
  const stop = new AbortController();
  hub.onUpload = () => {
    stop.abort(new Error("stop"));
    return new Promise((resolve) => setTimeout(resolve, 200));
  };
  await expect(push({ signal: stop.signal })).rejects.toThrow(/^stop$/);
  expect(hub.repos.get("model/owner/adapter")!.commits).toEqual([]);
});

it("follows links to files", async () => {
  const target = join(folder, "..", `${folder.split("/").at(-1)}-blob`);
  await writeFile(target, "linked");
  await symlink(target, join(folder, "linked.txt"));
  await push();
  expect(text("linked.txt")).toBe("linked");
  await rm(target);
});
