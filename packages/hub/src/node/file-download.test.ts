import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type TestCache, sampleBytes, startTestCache } from "../testing/test-cache.js";
import { fileDownload } from "./file-download.js";

let test: TestCache;
const weights = sampleBytes(50_000);

beforeEach(async () => {
  test = await startTestCache();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await test[Symbol.asyncDispose]();
});

const download = async (file: string, options: object = {}): Promise<string> => fileDownload("owner/name", file, { ...test.options, ...options }); // prettier-ignore

it("asks for the commit, the facts and the file, and puts it in the snapshot", async () => {
  const commit = test.hub.addModel("owner/name", { "model.safetensors": weights });
  const path = await download("model.safetensors");
  expect(path).toBe(join(test.cacheDir, "models--owner--name", "snapshots", commit, "model.safetensors"));
  expect(Buffer.compare(await readFile(path), weights)).toBe(0);
  expect(test.hub.requested().map((request) => request.replace(commit, "COMMIT"))).toEqual([
    "GET /api/models/owner/name/revision/main",
    "HEAD /owner/name/resolve/COMMIT/model.safetensors",
    "GET /owner/name/resolve/COMMIT/model.safetensors",
    expect.stringMatching(/^storage GET/),
  ]);
  test.hub.reset();
  await download("model.safetensors", { revision: commit });
  expect(test.hub.requests).toEqual([]);
});

it("remembers of a commit that it has no such file, as Python does", async () => {
  const commit = test.hub.addModel("owner/name", { "config.json": "{}" });
  const missing = {
    code: "HUB",
    reason: "entryNotFound",
    message: expect.stringContaining('owner/name has no file "none/x.json"') as string,
  };
  await expect(download("none/x.json")).rejects.toMatchObject(missing);
  expect((await stat(join(test.cacheDir, "models--owner--name", ".no_exist", commit, "none", "x.json"))).size).toBe(0);
  test.hub.reset();
  await expect(download("none/x.json")).rejects.toMatchObject(missing);
  expect(test.hub.requested()).toEqual(["GET /api/models/owner/name/revision/main"]);
  await expect(download("none/x.json", { revision: commit, offline: true })).rejects.toMatchObject(missing);
});

it("sends the token to the hub and to no other host", async () => {
  test.hub.addModel("owner/name", { "model.safetensors": weights, "config.json": "{}" }, { private: true });
  await expect(download("config.json")).rejects.toMatchObject({ reason: "repoNotFound", message: expect.stringContaining("set HF_TOKEN if it is private") as string }); // prettier-ignore
  await expect(download("config.json", { token: "hf_wrong" })).rejects.toMatchObject({ reason: "unauthorized", status: 401, message: expect.stringContaining("set HF_TOKEN") as string }); // prettier-ignore
  await download("model.safetensors", { token: "hf_test" });
  await download("config.json", { token: "hf_test" });
  expect(test.hub.leaks).toEqual([]);
});

it("says what to do about a gated repository", async () => {
  const page = `${test.hub.endpoint}/owner/name`;
  test.hub.addModel("owner/name", { "config.json": "{}" }, { gated: true });
  await expect(download("config.json")).rejects.toMatchObject({ reason: "gated", status: 401, message: expect.stringContaining(`accept its terms at ${page}`) as string }); // prettier-ignore
  await download("config.json", { token: "hf_test" });
  test.hub.addModel("owner/name", { "config.json": "{ }" }, { gated: "denied" });
  await expect(download("config.json", { token: "hf_test" })).rejects.toMatchObject({ reason: "gated", status: 403, message: expect.stringContaining(`accept its terms at ${page} with the account of the token`) as string }); // prettier-ignore
});

it("says that there is no such repository, or that the name is none", async () => {
  await expect(download("config.json", { token: "hf_test" })).rejects.toMatchObject({ reason: "repoNotFound", message: expect.stringContaining("check the name and the token") as string }); // prettier-ignore
  await expect(fileDownload("../etc", "passwd", test.options)).rejects.toMatchObject({ reason: "repoId" });
  test.hub.addModel("owner/name", { "config.json": "{}" });
  await expect(download("../../../evil")).rejects.toMatchObject({ reason: "fileName" });
  await expect(download("config.json", { endpoint: "nonsense" })).rejects.toMatchObject({ reason: "unreachable", message: expect.stringContaining("HF_ENDPOINT") as string }); // prettier-ignore
});

it("takes endpoint, token, cache and offline from the environment", async () => {
  const home = await mkdtemp(join(tmpdir(), "kto-home-"));
  test.hub.addModel("owner/name", { "config.json": "{}" }, { private: true });
  await writeFile(join(home, "token"), "hf_test\n");
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) vi.stubEnv(name, ""); // prettier-ignore
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_ENDPOINT", `${test.hub.endpoint}/`);
  expect(await fileDownload("owner/name", "config.json")).toContain(join(home, "hub", "models--owner--name", "snapshots"));
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  test.hub.reset();
  await fileDownload("owner/name", "config.json");
  await expect(fileDownload("owner/name", "tokenizer.json")).rejects.toMatchObject({ reason: "notCached", file: "tokenizer.json", message: expect.stringContaining('"tokenizer.json" of owner/name is not in the cache') as string }); // prettier-ignore
  expect(test.hub.requests).toEqual([]);
  await rm(home, { recursive: true });
});

it("names a cache that cannot be written, and reads one that cannot", async () => {
  test.hub.addModel("owner/name", { "config.json": "{}" });
  await writeFile(join(test.cacheDir, "file"), "");
  await expect(download("config.json", { cacheDir: join(test.cacheDir, "file") })).rejects.toMatchObject({ reason: "cache", message: expect.stringContaining("set HF_HUB_CACHE to another folder") as string }); // prettier-ignore
  await download("config.json");
  await chmod(join(test.cacheDir, "models--owner--name", "refs"), 0o555); // root writes all the same
  await download("config.json");
});
