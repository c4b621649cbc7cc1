import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ByteSource } from "@kto/core";
import { loadDataset } from "@kto/datasets";
import { openSafetensors, writeSafetensors } from "@kto/safetensors";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { HubSource } from "../source.js";
import { type TestCache, sampleBytes, startTestCache } from "../testing/test-cache.js";
import { hub } from "./hub.js";
import { snapshotDownload } from "./snapshot-download.js";

let test: TestCache;
const weights = sampleBytes(5_000);
const files = { "config.json": '{"a": 1}', "model.safetensors": weights };

beforeEach(async () => {
  test = await startTestCache();
});
afterEach(async () => test[Symbol.asyncDispose]());

const open = (id = "owner/name", options: object = {}): HubSource => hub(id, { ...test.options, ...options });
const read = async (source: ByteSource | undefined, start = 0, end: number = source!.byteLength): Promise<Uint8Array> => {
  const bytes = await source!.slice(start, end);
  await source!.dispose?.();
  return bytes;
};

it("gives the files of one commit, which it asks for once", async () => {
  const commit = test.hub.addModel("owner/name", files);
  const source = open();
  expect([source.name, source.repo, source.repoType]).toEqual(["owner/name", "owner/name", "model"]);
  expect(new TextDecoder().decode(await read(await source.open("config.json")))).toBe(files["config.json"]);
  test.hub.addModel("owner/name", { "config.json": "{}" });
  expect(await read(await source.open("model.safetensors"), 1000, 1010)).toEqual(weights.slice(1000, 1010));
  expect(await source.resolve()).toEqual({ revision: "main", commit });
  expect(test.hub.requested().filter((request) => request.includes("/revision/"))).toHaveLength(1);
});

it("fetches a file once, however many open it at once", async () => {
  test.hub.addModel("owner/name", files);
  const source = open();
  const sources = await Promise.all(Array.from({ length: 5 }, async () => source.open("model.safetensors")));
  for (const opened of sources) expect(await read(opened)).toEqual(weights);
  expect(test.hub.bytesServed()).toBe(weights.byteLength);
});

it("knows which files there are not, and asks for each once", async () => {
  test.hub.addModel("owner/name", files);
  expect(await open().open("generation_config.json")).toBeUndefined();
  test.hub.reset();
  expect(await open().open("generation_config.json")).toBeUndefined();
  expect(test.hub.requested()).toEqual(["GET /api/models/owner/name/revision/main"]);
  const source = open();
  expect(await source.list()).toMatchObject([{ path: "config.json", size: 8 }, { path: "model.safetensors", size: 5_000 }]); // prettier-ignore
  test.hub.reset();
  expect(await source.open("tokenizer.json")).toBeUndefined();
  expect(test.hub.requests).toEqual([]);
});

it("refuses a model whose weights are pickle files, when weights are asked for", async () => {
  test.hub.addModel("owner/name", { "config.json": "{}", "pytorch_model.bin": "pickle" });
  const pickle = {
    code: "HUB",
    reason: "pickle",
    message: expect.stringContaining("holds only pickle weights (pytorch_model.bin)") as string,
  };
  const source = open();
  expect(await read(await source.open("config.json"))).toHaveLength(2);
  await expect(source.open("model.safetensors")).rejects.toMatchObject(pickle);
  await expect(source.open("model.safetensors.index.json")).rejects.toMatchObject(pickle);
  await expect(source.list()).rejects.toMatchObject(pickle);
  await snapshotDownload("owner/name", test.options);
  await rm(join(test.cacheDir, "models--owner--name", "trees"), { recursive: true });
  await expect(open("owner/name", { offline: true }).open("model.safetensors")).rejects.toMatchObject(pickle);
});

it("offline answers from the cache alone", async () => {
  test.hub.addModel("owner/name", { ...files, "tokenizer.json": "{}" });
  await snapshotDownload("owner/name", { ...test.options, exclude: ["tokenizer.json"] });
  test.hub.reset();
  const offline = (): HubSource => open("owner/name", { offline: true });
  expect(await read(await offline().open("model.safetensors"))).toEqual(weights);
  expect(await offline().open("none.json")).toBeUndefined();
  await expect(offline().open("tokenizer.json")).rejects.toMatchObject({ reason: "notCached", file: "tokenizer.json" }); // it is listed
  await rm(join(test.cacheDir, "models--owner--name", "trees"), { recursive: true }); // as older versions of Python leave it
  expect((await offline().list()).map(({ path }) => path)).toEqual(["config.json", "model.safetensors"]);
  expect(await offline().open("tokenizer.json")).toBeUndefined();
  await rm(join(test.cacheDir, "models--owner--name", "snapshots"), { recursive: true });
  await expect(offline().open("config.json")).rejects.toMatchObject({ reason: "notCached" });
  expect(test.hub.requests).toEqual([]);
});

it("does not take weights for missing that nobody fetched", async () => {
  test.hub.addModel("owner/name", files);
  const source = open();
  await read(await source.open("config.json"));
  await expect(open("owner/name", { offline: true }).open("model.safetensors")).rejects.toMatchObject({ reason: "notCached" });
});

it("takes the cache when the hub does not answer", async () => {
  test.hub.addModel("owner/name", files);
  await read(await open().open("model.safetensors"));
  await test.hub[Symbol.asyncDispose]();
  expect(await read(await open().open("model.safetensors"))).toEqual(weights);
  expect(await open().open("config.json")).toBeUndefined(); // nothing is known of it
  await expect(open("owner/other").open("config.json")).rejects.toMatchObject({ reason: "unreachable" });
});

it("is what readers of checkpoints and data sets take like a folder", async () => {
  const parts: Uint8Array[] = [];
  const sink = {
    async write(bytes: Uint8Array): Promise<void> {
      parts.push(bytes.slice());
    },
  };
  await writeSafetensors(sink, { a: { dtype: "F32", shape: [2], data: new Float32Array([1, 2]) } });
  test.hub.addModel("owner/tiny", { "model.safetensors": Buffer.concat(parts) });
  const file = await openSafetensors((await open("owner/tiny").open("model.safetensors"))!);
  expect([...file.tensors.keys()]).toEqual(["a"]);
  test.hub.addDataset("owner/rows", {
    "data/train-0.jsonl": '{"a": 1}\n',
    "data/train-1.jsonl": '{"a": 2}\n',
    "data/test.jsonl": '{"a": 3}\n',
  });
  const rows = await loadDataset(open("owner/rows", { repoType: "dataset" }), { split: "train" });
  expect(rows.length).toBe(2);
});
