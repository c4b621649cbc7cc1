import { afterEach, beforeEach, expect, it } from "vitest";
import { hub } from "./hub.js";
import type { HubSource } from "./source.js";
import { type LoopbackHub, startLoopbackHub } from "./testing/loopback-hub.js";
import { sampleBytes } from "./testing/test-cache.js";

let server: LoopbackHub;
const weights = sampleBytes(200_000);

beforeEach(async () => {
  server = await startLoopbackHub({ pageSize: 2 });
});
afterEach(async () => server[Symbol.asyncDispose]());

const open = (id: string, options: object = {}): HubSource =>
  hub(id, { endpoint: server.endpoint, retry: { count: 2, baseMs: 1 }, ...options });

it("reads ranges of the files of one commit, and keeps nothing", async () => {
  const commit = server.addModel("owner/name", {
    "model.safetensors": weights,
    "config.json": "{}",
    "empty.txt": "",
    "nested/a #%.txt": "odd",
  });
  const source = open("owner/name@main");
  const file = (await source.open("model.safetensors"))!;
  server.addModel("owner/name", { "config.json": "{ }" });
  expect(file.byteLength).toBe(200_000);
  expect(await file.slice(10, 20)).toEqual(weights.slice(10, 20)); // came with the first request
  expect(await file.slice(150_000, 150_010)).toEqual(weights.slice(150_000, 150_010));
  expect(server.bytesServed()).toBe(64 * 1024 + 10);
  expect((await source.open("empty.txt"))!.byteLength).toBe(0);
  expect(new TextDecoder().decode(await (await source.open("nested/a #%.txt"))!.slice(0, 3))).toBe("odd");
  expect(await source.open("none.json")).toBeUndefined();
  expect((await source.list()).map(({ path }) => path)).toEqual(["model.safetensors", "config.json", "empty.txt", "nested/a #%.txt"]);
  expect(await source.resolve()).toEqual({ revision: "main", commit });
});

it("goes through cut connections and failing servers, and takes small files from servers without ranges", async () => {
  server.addModel("owner/name", { "model.safetensors": weights });
  const faults = [{ status: 503 }, { cutAfter: 100 }, { ignoreRange: true }, { ignoreRange: true }];
  server.fault = ({ host }) => (host === "storage" ? faults.shift() : undefined);
  const file = (await open("owner/name").open("model.safetensors"))!;
  expect(await file.slice(150_000, 150_010)).toEqual(weights.slice(150_000, 150_010));
});

it("sends no token to the storage, and says why it may not read", async () => {
  server.addModel("owner/name", { "model.safetensors": weights }, { gated: true });
  expect((await open("owner/name", { token: "hf_test" }).open("model.safetensors"))!.byteLength).toBe(200_000);
  expect(server.leaks).toEqual([]);
  await expect(open("owner/name").open("model.safetensors")).rejects.toMatchObject({ code: "HUB", reason: "gated", status: 401 });
  await expect(open("owner/none", { token: "hf_test" }).list()).rejects.toMatchObject({ reason: "repoNotFound", status: 404 });
});

it("tells an address that is no hub", async () => {
  server.fault = () => ({ status: 200, headers: { "content-type": "text/html" } });
  await expect(open("owner/name").resolve()).rejects.toMatchObject({
    reason: "refused",
    message: expect.stringContaining("gives no commit") as string,
  });
});
