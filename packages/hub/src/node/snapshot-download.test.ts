import { lstat, mkdir, readFile, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type TestCache, sampleBytes, startTestCache } from "../testing/test-cache.js";
import { type Snapshot, snapshotDownload } from "./snapshot-download.js";

let test: TestCache;
const weights = sampleBytes(100_000);
const files = {
  "config.json": '{"model_type": "qwen2"}',
  "model.safetensors": weights,
  "empty.txt": "",
  "nested/a folder/ünï #1 100%?.txt": "odd",
  "same.txt": "odd",
};

beforeEach(async () => {
  test = await startTestCache({ pageSize: 2 });
});
afterEach(async () => test[Symbol.asyncDispose]());

const download = async (options: object = {}): Promise<Snapshot> => snapshotDownload("owner/name", { ...test.options, ...options });
const root = (): string => join(test.cacheDir, "models--owner--name");

it("makes the layout of Python's cache, with every file under its name", async () => {
  const commit = test.hub.addModel("owner/name", files);
  const snapshot = await download();
  expect(snapshot).toEqual({ path: join(root(), "snapshots", commit), commit, files: Object.keys(files), bytes: 100_029 });
  for (const [name, content] of Object.entries(files)) {
    expect(Buffer.compare(await readFile(join(snapshot.path, name)), Buffer.from(content as string))).toBe(0);
    expect((await lstat(join(snapshot.path, name))).isSymbolicLink()).toBe(true);
  }
  expect(await readlink(join(snapshot.path, "config.json"))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
  expect(await readlink(join(snapshot.path, "model.safetensors"))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
  expect(await readlink(join(snapshot.path, "nested/a folder/ünï #1 100%?.txt"))).toMatch(/^\.\.\/\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
  expect(await test.blobs()).toHaveLength(4); // two files are the same
  expect(await readFile(join(root(), "refs", "main"), "utf8")).toBe(commit);
  expect((await readdir(root())).sort()).toEqual(["blobs", "refs", "snapshots", "trees"]);
  expect(await readdir(join(test.cacheDir, ".locks", "models--owner--name"))).toEqual([]);
  expect(test.hub.bytesServed()).toBe(100_026); // the same content once
});

it("asks once, and for nothing at all when the revision is a commit", async () => {
  const commit = test.hub.addModel("owner/name", files);
  await download();
  test.hub.reset();
  test.progress.length = 0;
  await download();
  expect(test.hub.requested()).toEqual(["GET /api/models/owner/name/revision/main"]);
  expect(new Set(test.progress.map(({ state }) => state))).toEqual(new Set(["cached"]));
  test.hub.reset();
  expect((await download({ revision: commit })).files).toHaveLength(5);
  expect(test.hub.requests).toEqual([]);
});

it("fetches of a new commit only what changed, and leaves the old one", async () => {
  const first = test.hub.addModel("owner/name", files);
  await download();
  const second = test.hub.addModel("owner/name", { ...files, "config.json": "{}" });
  test.hub.reset();
  expect((await download()).commit).toBe(second);
  expect(test.hub.bytesServed()).toBe(2);
  expect((await readdir(join(root(), "snapshots"))).sort()).toEqual([first, second].sort());
  expect(await readFile(join(root(), "refs", "main"), "utf8")).toBe(second);
});

it("takes a branch, a tag and a pull request, and keeps them apart", async () => {
  test.hub.addModel("owner/name", files);
  const commit = test.hub.addModel("owner/name", { "config.json": "{}" }, { revision: "refs/pr/1" });
  expect((await download({ revision: "refs/pr/1" })).commit).toBe(commit);
  expect((await snapshotDownload("owner/name@refs/pr/1", test.options)).commit).toBe(commit);
  expect(await readFile(join(root(), "refs", "refs", "pr", "1"), "utf8")).toBe(commit);
  await expect(download({ revision: "v2" })).rejects.toMatchObject({ reason: "revisionNotFound", message: expect.stringContaining('no revision "v2"') as string }); // prettier-ignore
});

it("chooses files by patterns", async () => {
  test.hub.addModel("owner/name", files);
  const { files: chosen, bytes } = await download({ include: ["*.txt"], exclude: ["nested/"] });
  expect([chosen, bytes]).toEqual([["empty.txt", "same.txt"], 3]);
  await expect(download({ include: ["*.gguf"] })).rejects.toMatchObject({ reason: "entryNotFound", message: expect.stringContaining("got none of 5; check the patterns") as string }); // prettier-ignore
});

it("puts a data set in a folder of its own kind", async () => {
  test.hub.addDataset("owner/name", { "data/train.parquet": weights });
  const { path } = await download({ repoType: "dataset" });
  expect(path).toContain("datasets--owner--name");
  expect(Buffer.compare(await readFile(join(path, "data", "train.parquet")), weights)).toBe(0);
});

it("offline sends nothing, takes what is there, and says what is not", async () => {
  const commit = test.hub.addModel("owner/name", files);
  await expect(download({ offline: true })).rejects.toMatchObject({ code: "HUB", reason: "notCached", message: expect.stringMatching(/^hub: model owner\/name is not in the cache; .* unset HF_HUB_OFFLINE/) as string }); // prettier-ignore
  await download({ include: ["*.json"] });
  test.hub.reset();
  expect((await download({ offline: true, include: ["*.json"] })).commit).toBe(commit);
  await expect(download({ localFilesOnly: true })).rejects.toMatchObject({ reason: "notCached", file: "model.safetensors" });
  await rm(join(root(), "trees"), { recursive: true }); // as older versions of Python leave it
  expect((await download({ offline: true })).files).toEqual(["config.json"]);
  expect(test.hub.requests).toEqual([]);
});

it("takes the cache when the hub does not answer", async () => {
  const commit = test.hub.addModel("owner/name", files);
  await download();
  await test.hub[Symbol.asyncDispose]();
  expect((await download()).commit).toBe(commit);
  expect((await download({ revision: commit })).files).toHaveLength(5);
  await expect(snapshotDownload("owner/other", test.options)).rejects.toMatchObject({
    reason: "unreachable",
    message: expect.stringMatching(
      /does not answer, and model owner\/other is not in the cache .*ECONNREFUSED.*check the network and HF_ENDPOINT/,
    ) as string,
  });
});

it("finds what Python fetched", async () => {
  const commit = test.hub.addModel("owner/name", { "config.json": "{}" });
  const blob = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
  await mkdir(join(root(), "snapshots", commit), { recursive: true });
  await mkdir(join(root(), "blobs"));
  await writeFile(join(root(), "blobs", blob), "{}");
  await writeFile(join(root(), "blobs", "abc.incomplete"), "a prefix");
  await download();
  expect(test.hub.bytesServed()).toBe(0);
  expect(await readlink(join(root(), "snapshots", commit, "config.json"))).toBe(`../../blobs/${blob}`);
  expect(await test.blobs()).toEqual([blob, "abc.incomplete"]);
});

it("makes a link again whose blob is gone", async () => {
  test.hub.addModel("owner/name", files);
  const { path } = await download();
  await rm(join(root(), "blobs"), { recursive: true });
  await download();
  expect(await readFile(join(path, "config.json"), "utf8")).toBe(files["config.json"]);
});

it("refuses paths that lead out of the folder, from the hub and from a list in the cache", async () => {
  for (const path of ["../evil", "a/../../evil", "/etc/evil", "a\\b", "C:/evil"]) {
    test.hub.addModel("owner/name", { [path]: "x" });
    await expect(download()).rejects.toMatchObject({ code: "HUB", reason: "fileName" });
  }
  const commit = test.hub.addModel("owner/name", files);
  await mkdir(join(root(), "trees"), { recursive: true });
  await writeFile(join(root(), "trees", `${commit}.json`), JSON.stringify({ format_version: 1, files: { "../evil": { size: 1, blob_id: "a" } } })); // prettier-ignore
  expect((await download()).files).toHaveLength(5);
});

it("asks for the facts of files that the listing lacks", async () => {
  test.hub.addModel("owner/name", files, { bareTree: true });
  await download();
  expect(await test.blobs()).toHaveLength(4);
  expect(test.hub.requested().filter((request) => request.startsWith("storage HEAD"))).toEqual([]);
});
