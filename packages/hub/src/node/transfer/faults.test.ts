import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Fault, LoopbackRequest } from "../../testing/loopback-hub.js";
import { type TestCache, sampleBytes, startTestCache } from "../../testing/test-cache.js";
import { fileDownload } from "../file-download.js";

let test: TestCache;
/** Two requests' worth. */
const weights = sampleBytes(20_000_000);
const small = sampleBytes(3_000_000, 2);
const name = "model.safetensors";

beforeEach(async () => {
  test = await startTestCache();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await test[Symbol.asyncDispose]();
});

const download = async (options: object = {}): Promise<string> => fileDownload("owner/name", name, { ...test.options, ...options });
const expectFile = async (path: string, bytes: Uint8Array): Promise<void> => {
  expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
  expect(await test.blobs()).toHaveLength(1);
};
const retries = (): string[] => test.progress.filter(({ state }) => state === "retry").map(({ reason = "" }) => reason);
/** Does it to the first `count` requests for files. */
const toFirst = (count: number, fault: Fault): void => {
  let left = count;
  test.hub.fault = ({ host }) => (host === "storage" && left-- > 0 ? fault : undefined);
};

it("fetches a large file in ranges, each byte once", async () => {
  test.hub.addModel("owner/name", { [name]: weights });
  await expectFile(await download(), weights);
  expect(test.hub.bytesServed()).toBe(weights.byteLength);
  const ranges = test.hub.requests.filter(({ host }) => host === "storage").map(({ range }) => range);
  expect(new Set(ranges)).toEqual(new Set(["bytes=0-16777215", "bytes=16777216-19999999"]));
});

it("goes on where a cut transfer ended", async () => {
  test.hub.addModel("owner/name", { [name]: weights });
  toFirst(4, { cutAfter: 1_000_000 });
  await expectFile(await download(), weights);
  expect(test.hub.bytesServed()).toBeLessThan(weights.byteLength + 4 * 300_000); // what was under way when the connection broke
  expect(retries().every((reason) => reason.includes("the transfer broke off"))).toBe(true);
  const { loadedBytes, totalBytes } = test.progress.at(-1)!;
  expect([loadedBytes, totalBytes]).toEqual([weights.byteLength, weights.byteLength]);
});

it("gives up after some attempts that bring nothing, and a later run goes on", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  test.hub.fault = ({ host, range }) => (host === "storage" ? { cutAfter: range === undefined ? 1_000_000 : 0 } : undefined);
  await expect(download()).rejects.toMatchObject({ code: "HUB", reason: "unreachable", file: name, message: expect.stringContaining("(4 attempts)") as string }); // prettier-ignore
  test.hub.fault = () => undefined;
  const before = test.hub.bytesServed();
  await expectFile(await download(), small);
  expect(test.hub.bytesServed() - before).toBeLessThan(small.byteLength - 500_000);
});

it("keeps what has come when it is aborted, and counts it the next time", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  const stop = new AbortController();
  test.hub.fault = () => ({ bytesPerSecond: 4_000_000 });
  const onProgress = ({ loadedBytes }: { loadedBytes: number }): void => {
    if (loadedBytes > 1_000_000) stop.abort(new Error("enough"));
  };
  await expect(download({ signal: stop.signal, onProgress })).rejects.toThrow(/^enough$/);
  test.hub.fault = () => undefined;
  test.hub.reset();
  await expectFile(await download(), small);
  const start = test.progress.find(({ state }) => state === "start")!;
  expect(start.loadedBytes).toBeGreaterThan(1_000_000);
  expect(test.hub.bytesServed()).toBe(small.byteLength - start.loadedBytes);
});

it("takes a connection on which nothing comes for cut", async () => {
  vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "0.2");
  test.hub.addModel("owner/name", { [name]: small });
  toFirst(1, { stallAfter: 1_000_000 });
  await expectFile(await download(), small);
  expect(retries()).toEqual([expect.stringContaining("nothing came for 0.2 s")]);
  expect(test.hub.bytesServed()).toBe(small.byteLength);
});

it("waits as long as Retry-After says, and through failures of the server", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  let asked = 0;
  const faults: Fault[] = [{ status: 429, headers: { "retry-after": "0.3" } }, { status: 503 }, { status: 500 }];
  test.hub.fault = ({ method, path }) => (method === "GET" && path.includes("/resolve/") ? faults[asked++] : undefined);
  const startMs = performance.now();
  await expectFile(await download(), small);
  expect(performance.now() - startMs).toBeGreaterThan(290);
  expect(test.progress.filter(({ state }) => state === "retry").map(({ delayMs }) => delayMs! >= 300)).toEqual([true, false, false]);
});

it("gets a new link when the storage refuses one", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  toFirst(1, { status: 403 });
  await expectFile(await download(), small);
  toFirst(9, { status: 403 });
  await expect(download({ cacheDir: join(test.cacheDir, "other") })).rejects.toMatchObject({ reason: "unreachable", status: 403 });
});

it("begins again with a server that ignores ranges", async () => {
  test.hub.addModel("owner/name", { [name]: weights });
  let cuts = 2;
  test.hub.fault = ({ host, range }): Fault => (host === "hub" ? {} : { ignoreRange: true, ...(range === undefined && cuts-- > 0 ? { cutAfter: 5_000_000 } : {}) }); // prettier-ignore
  await expectFile(await download(), weights);
  expect(retries()[0]).toContain("ignores ranges");
});

it("does so too when it takes up what another run left", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  toFirst(1, { cutAfter: 1_000_000 });
  await expect(download({ retry: { count: 0 } })).rejects.toMatchObject({ reason: "unreachable" });
  test.hub.fault = () => ({ ignoreRange: true });
  await expectFile(await download(), small);
});

it.each<[string, (request: LoopbackRequest) => Fault | undefined]>([
  ["damaged bytes", ({ host }) => (host === "storage" ? { corrupt: true } : undefined)],
  ["another size", ({ method, path }) => (method === "HEAD" && path.includes(name) ? { status: 302, headers: { location: "http://127.0.0.1:1/", "x-linked-etag": "a".repeat(64), "x-linked-size": "17" } } : undefined)], // prettier-ignore
])("tries once more after %s, and then leaves nothing", async (_, fault) => {
  test.hub.addModel("owner/name", { [name]: small });
  test.hub.fault = fault;
  await expect(download()).rejects.toMatchObject({
    code: "HUB",
    reason: "checksum",
    file: name,
    message: expect.stringMatching(
      /^hub: model\.safetensors of owner\/name arrived damaged, twice: .*expected .*; nothing of it was kept/,
    ) as string,
  });
  expect(await test.blobs()).toEqual([]);
  expect(test.hub.requests.filter(({ host }) => host === "storage")).toHaveLength(2);
  test.hub.fault = () => undefined;
  await expectFile(await download(), small);
});

it("is content with good bytes the second time", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  toFirst(1, { corrupt: true });
  await expectFile(await download(), small);
  expect(retries()).toEqual([expect.stringContaining("the sha256 differs; expected ")]);
});

it("checks files outside the large-file storage by git's id", async () => {
  test.hub.addModel("owner/name", { [name]: small }, { lfs: () => false });
  let left = 1;
  test.hub.fault = ({ method, path }) =>
    method === "GET" && path.includes("/resolve-cache/") && left-- > 0 ? { corrupt: true } : undefined;
  await expectFile(await download(), small);
  expect(retries()).toEqual([expect.stringContaining("the sha1 differs; expected ")]);
});

it("does not believe what it finds: notes that are wrong cost a new transfer", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  toFirst(1, { cutAfter: 2_000_000 });
  await expect(download({ retry: { count: 0 } })).rejects.toMatchObject({ reason: "unreachable" });
  const [incomplete] = await test.blobs();
  const path = join(test.cacheDir, "models--owner--name", "blobs", incomplete!);
  await writeFile(path, new Uint8Array(small.byteLength)); // as after a power cut
  await expectFile(await download(), small);
});

it("a file that changes between two runs begins again", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  toFirst(1, { cutAfter: 2_000_000 });
  await expect(download({ retry: { count: 0 } })).rejects.toMatchObject({ reason: "unreachable" });
  const other = sampleBytes(3_000_000, 3);
  test.hub.addModel("owner/name", { [name]: other });
  const path = await download();
  expect(Buffer.compare(await readFile(path), other)).toBe(0);
});

it.runIf(existsSync("/dev/full"))("says what is needed when the disk is full", async () => {
  test.hub.addModel("owner/name", { [name]: small });
  const { createHash } = await import("node:crypto");
  const etag = createHash("sha256").update(small).digest("hex");
  const blobs = join(test.cacheDir, "models--owner--name", "blobs");
  await mkdir(blobs, { recursive: true });
  await symlink("/dev/full", join(blobs, `${etag}.kto-incomplete`)); // every write to it finds the disk full
  await expect(download()).rejects.toMatchObject({ code: "HUB", reason: "noSpace", message: expect.stringContaining("expected 3.0 MB (3,000,000 bytes) more") as string }); // prettier-ignore
});
