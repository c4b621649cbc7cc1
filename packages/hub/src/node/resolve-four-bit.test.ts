import { afterEach, beforeEach, expect, it } from "vitest";
import { type TestCache, startTestCache } from "../testing/test-cache.js";
import { resolveFourBit } from "./resolve-four-bit.js";
import { snapshotDownload } from "./snapshot-download.js";

let test: TestCache;
const files = { "config.json": "{}", "model.safetensors": "weights" };

beforeEach(async () => {
  test = await startTestCache();
  test.hub.addModel("Qwen/Qwen2-0.5B", files);
});
afterEach(async () => test[Symbol.asyncDispose]());

it("takes the best four-bit checkpoint that there is, and says so", async () => {
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", test.options)).toEqual({ id: "Qwen/Qwen2-0.5B", mapped: false });
  test.hub.addModel("unsloth/Qwen2-0.5B-bnb-4bit", files);
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", test.options)).toEqual({ id: "unsloth/Qwen2-0.5B-bnb-4bit", mapped: true });
  test.hub.addModel("unsloth/Qwen2-0.5B-unsloth-bnb-4bit", files);
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", test.options)).toEqual({ id: "unsloth/Qwen2-0.5B-unsloth-bnb-4bit", mapped: true });
});

it("does not take a checkpoint whose card says that it is of another owner's model", async () => {
  const card = "---\nbase_model: Qwen/Qwen2-0.5B\n---\n# Four bits\n";
  test.hub.addModel("unsloth/Qwen2-0.5B-bnb-4bit", { ...files, "README.md": card });
  test.hub.addModel("someone/Qwen2-0.5B", files);
  const taken = { id: "unsloth/Qwen2-0.5B-bnb-4bit", mapped: true };
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", test.options)).toEqual(taken);
  expect(await resolveFourBit("unsloth/Qwen2-0.5B", test.options)).toEqual(taken);
  expect(await resolveFourBit("someone/Qwen2-0.5B", test.options)).toEqual({ id: "someone/Qwen2-0.5B", mapped: false });
});

it("asks for nothing when the model is quantised already, or a revision was named", async () => {
  test.hub.reset();
  expect(await resolveFourBit("unsloth/Qwen2-0.5B-bnb-4bit", test.options)).toMatchObject({ mapped: false });
  expect(await resolveFourBit("Qwen/Qwen2-0.5B@v1", test.options)).toEqual({ id: "Qwen/Qwen2-0.5B@v1", mapped: false });
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", { ...test.options, revision: "v1" })).toMatchObject({ mapped: false });
  expect(test.hub.requests).toEqual([]);
});

it("offline, and when the hub does not answer, looks into the cache", async () => {
  test.hub.addModel("unsloth/Qwen2-0.5B-bnb-4bit", files);
  const offline = { ...test.options, offline: true };
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", offline)).toMatchObject({ mapped: false });
  await snapshotDownload("unsloth/Qwen2-0.5B-bnb-4bit", test.options);
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", offline)).toEqual({ id: "unsloth/Qwen2-0.5B-bnb-4bit", mapped: true });
  await test.hub[Symbol.asyncDispose]();
  expect(await resolveFourBit("Qwen/Qwen2-0.5B", test.options)).toEqual({ id: "unsloth/Qwen2-0.5B-bnb-4bit", mapped: true });
  await expect(resolveFourBit("owner/other", test.options)).rejects.toMatchObject({ reason: "unreachable" });
});
