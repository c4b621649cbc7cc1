import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { FileProgress } from "../node/options.js";
import { type PushHub, startPushHub } from "../testing/loopback-push.js";
import type { PushedCommit } from "../testing/pushed-repo.js";
import { sampleBytes } from "../testing/test-cache.js";
import type { PushOptions, PushResult } from "./options.js";
import { pushFolder } from "./push-folder.js";

let hub: PushHub;
let scratch: string;
let folder: string;
let cacheDir: string;
/** Ten parts. */
const weights = sampleBytes(2_500_000);
const partSize = 250_000;

beforeEach(async () => {
  hub = await startPushHub();
  scratch = await mkdtemp(join(tmpdir(), "kto-push-"));
  [folder, cacheDir] = [join(scratch, "run"), join(scratch, "cache")];
  await mkdir(folder);
  await writeFile(join(folder, "model.safetensors"), weights);
  await writeFile(join(folder, "config.json"), "{}");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

const push = (options: Partial<PushOptions> = {}): Promise<PushResult> =>
  pushFolder(folder, { repo: "owner/run", token: hub.token, endpoint: hub.endpoint, cacheDir, retry: { count: 3, baseMs: 1 }, ...options });
const commits = (): PushedCommit[] => hub.repos.get("model/owner/run")?.branches.get("main")?.slice(1) ?? [];
const isPut = ({ host }: { host: string }): boolean => host === "storage";
const isCommit = ({ path }: { path: string }): boolean => path.includes("/commit/");
const notes = async (): Promise<string[]> => readdir(join(cacheDir, ".locks", "kto-uploads")).catch(() => []);

/** The repository holds the folder, as one commit. */
function expectWhole(): void {
  expect(commits()).toHaveLength(1);
  expect([...commits()[0]!.paths].sort()).toEqual(["config.json", "model.safetensors"]);
  expect(Buffer.compare(commits()[0]!.files.get("model.safetensors")!, weights)).toBe(0);
}

it("an upload that is cut is sent again, and told", async () => {
  let cuts = 2;
  hub.fault = (request) => (isPut(request) && cuts-- > 0 ? { cutAfter: 100_000 } : undefined);
  const progress: FileProgress[] = [];
  await push({ onProgress: (event) => progress.push(event) });
  expectWhole();
  const retries = progress.filter(({ state }) => state === "retry");
  expect(retries).toHaveLength(2);
  expect(retries[0]).toMatchObject({ name: "model.safetensors", loadedBytes: 0, reason: expect.stringContaining("broke off") as unknown });
});

it("of a file in parts only those that were cut are sent again", async () => {
  hub.partSize = partSize;
  let cuts = 3;
  hub.fault = (request) => (isPut(request) && /\/[258]$/.test(request.path) && cuts-- > 0 ? { cutAfter: 10_000 } : undefined);
  await push({ maxWorkers: 3 });
  expectWhole();
  expect(hub.requested().filter((request) => request === "PUT storage")).toHaveLength(13);
  expect(hub.leaks).toEqual([]);
  expect(await notes()).toEqual([]);
});

it("a push that gave up is completed by the next one, which sends the missing parts alone", async () => {
  hub.partSize = partSize;
  hub.fault = (request) => (isPut(request) && /\/[79]$/.test(request.path) ? { status: 503 } : undefined);
  await expect(push({ maxWorkers: 1 })).rejects.toMatchObject({
    reason: "unreachable",
    status: 503,
    message: expect.stringMatching(/^push: .*the storage failed.* \(4 attempts\).*push to owner\/run again: what has arrived is kept/),
  });
  expect(commits()).toEqual([]);
  expect((await stat(join(cacheDir, ".locks", "kto-uploads", (await notes())[0]!))).mode & 0o777).toBe(0o600);
  hub.fault = () => undefined;
  hub.received = 0;
  const progress: FileProgress[] = [];
  await push({ onProgress: (event) => progress.push(event) });
  expect(hub.received).toBe(4 * partSize); // six had arrived
  expect(progress.filter(({ state }) => state === "start").map(({ loadedBytes }) => loadedBytes)).toContain(6 * partSize);
  expectWhole();
  expect(await notes()).toEqual([]);
});

it("an upload that the storage has forgotten begins anew", async () => {
  hub.partSize = partSize;
  hub.fault = (request) => (isPut(request) && request.path.endsWith("/7") ? { status: 500 } : undefined);
  await expect(push({ maxWorkers: 1 })).rejects.toThrow();
  hub.fault = (request) => (isPut(request) && request.path.includes("/upload0/") ? { status: 403 } : undefined); // addresses of the first run
  await push();
  expectWhole();
});

it("an address that has run out is asked for again; one that is never taken ends the push", async () => {
  let stale = 1;
  hub.fault = (request) => (isPut(request) && stale-- > 0 ? { status: 403 } : undefined);
  await push();
  expectWhole();
  await writeFile(join(folder, "model.safetensors"), sampleBytes(1000, 2));
  hub.fault = (request) => (isPut(request) ? { status: 400 } : undefined);
  await expect(push()).rejects.toMatchObject({ status: 400, message: expect.stringContaining("the storage, of model.safetensors") });
  expect(commits()).toHaveLength(1);
});

it("a connection on which nothing moves counts as cut", async () => {
  vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "0.05");
  let stalls = 1;
  hub.fault = (request) => (isPut(request) && stalls-- > 0 ? { delayMs: 3000 } : undefined);
  const startMs = performance.now();
  await push();
  expect(performance.now() - startMs).toBeLessThan(2500);
  expectWhole();
});

it("a hub that dies between upload and commit: nothing is seen, and the next push sends only the commit", async () => {
  hub.fault = (request) => (isCommit(request) ? { cutAfter: 0 } : undefined);
  await expect(push()).rejects.toMatchObject({ reason: "unreachable" });
  expect(commits()).toEqual([]);
  hub.fault = () => undefined;
  hub.received = 0;
  await push();
  expect(hub.received).toBe(0);
  expectWhole();
});

it("a commit whose answer is lost is not made twice", async () => {
  let lost = 1;
  hub.fault = (request) => (isCommit(request) && lost-- > 0 ? { loseAnswer: true } : undefined);
  const { commit, changed } = await push();
  expectWhole();
  expect(commit).toBe(commits()[0]!.id);
  expect(changed).toEqual(["config.json", "model.safetensors"]);
});

it("nor is a pull request opened twice", async () => {
  await push();
  await writeFile(join(folder, "config.json"), '{"new": 1}');
  hub.fault = (request) => (isCommit(request) ? { loseAnswer: true } : undefined);
  await expect(push({ createPr: true })).rejects.toThrow(
    /did not say whether the pull request was opened .*look at .*\/owner\/run\/discussions/,
  );
  expect(hub.repos.get("model/owner/run")!.pullRequests).toHaveLength(1);
});

it("a branch that moved is looked at again; one that keeps moving ends the push", async () => {
  let moved = 1;
  hub.fault = (request) => (isCommit(request) && moved-- > 0 ? { status: 412 } : undefined);
  await push();
  expectWhole();
  await writeFile(join(folder, "config.json"), '{"new": 1}');
  hub.fault = (request) => (isCommit(request) ? { status: 409 } : undefined);
  await expect(push()).rejects.toMatchObject({
    reason: "refused",
    status: 409,
    message: expect.stringContaining("changed while it was pushed to"),
  });
});

it.each([
  ["the hub", /^POST \/api\/models\/owner\/run\/preupload/],
  ["the storage", /^PUT storage/],
  ["the commit", /^POST \/api\/models\/owner\/run\/commit/],
])("%s asks for patience and gets it, as long as Retry-After says", async (_what, asked) => {
  let times = 1;
  const name = ({ host, method, path }: { host: string; method: string; path: string }): string =>
    host === "storage" ? `${method} storage` : `${method} ${path}`;
  hub.fault = (request) => (asked.test(name(request)) && times-- > 0 ? { status: 429, headers: { "retry-after": "0.3" } } : undefined);
  const startMs = performance.now();
  await push();
  expect(performance.now() - startMs).toBeGreaterThan(290);
  expectWhole();
  await writeFile(join(folder, "model.safetensors"), sampleBytes(5000, 3));
  hub.fault = (request) => (asked.test(name(request)) ? { status: 429, headers: { "retry-after": "3600" } } : undefined);
  await expect(push()).rejects.toMatchObject({ status: 429, message: expect.stringContaining("try again in 3600 s") });
});

it.each<[string, number, string, object]>([
  ["/api/repos/create", 401, "the token was not accepted", { reason: "unauthorized" }],
  ["/api/models/owner/run/preupload/main", 403, "may not write to owner/run", { reason: "unauthorized" }],
  ["/owner/run.git/info/lfs/objects/batch", 404, "no model owner/run with a branch", { reason: "repoNotFound" }],
  ["/api/models/owner/run/commit/main", 413, "takes no file or commit of this size", { reason: "refused" }],
  ["/api/models/owner/run/commit/main", 422, "refused the push", { reason: "refused" }],
  ["/api/models/owner/run/preupload/main", 500, "(4 attempts)", { reason: "unreachable" }],
])("%s answers %i: %s", async (path, status, says, facts) => {
  hub.fault = (request) => (request.path === path ? { status } : undefined);
  await expect(push()).rejects.toMatchObject({ code: "HUB", repo: "owner/run", status, message: expect.stringContaining(says), ...facts });
  expect(commits()).toEqual([]);
});

it("a wrong token, another owner's name, a token that only reads, no hub at all", async () => {
  await expect(push({ token: "hf_wrong" })).rejects.toMatchObject({ reason: "unauthorized", status: 401 });
  await expect(push({ repo: "other/run" })).rejects.toMatchObject({ reason: "unauthorized", status: 403 });
  hub.role = "read";
  await expect(push()).rejects.toThrow("this token may not write to owner/run");
  await expect(push({ endpoint: "http://127.0.0.1:1" })).rejects.toMatchObject({ reason: "unreachable" });
  hub.fault = () => ({ status: 200 });
  await expect(push()).rejects.toMatchObject({ code: "HUB" });
});

it("an abort ends the push with its reason, and the next one goes on", async () => {
  hub.partSize = partSize;
  const stop = new AbortController();
  hub.fault = (request) => {
    if (isPut(request) && request.path.endsWith("/6")) stop.abort(new Error("stop"));
    return isPut(request) && stop.signal.aborted ? { delayMs: 500 } : undefined;
  };
  await expect(push({ signal: stop.signal, maxWorkers: 1 })).rejects.toThrow(/^stop$/);
  expect(commits()).toEqual([]);
  hub.fault = () => undefined;
  hub.received = 0;
  await push();
  expect(hub.received).toBeLessThanOrEqual(5 * partSize);
  expectWhole();
});

it("a file that changes while it is pushed is never published", async () => {
  let isFirst = true;
  hub.fault = (request) => {
    if (isPut(request) && isFirst) void appendFile(join(folder, "model.safetensors"), "more");
    isFirst &&= !isPut(request);
    return isPut(request) ? { delayMs: 50 } : undefined;
  };
  await expect(push()).rejects.toMatchObject({
    reason: "fileName",
    message: expect.stringMatching(/changed while it was pushed; expected the 2500000 bytes/),
  });
  expect(commits()).toEqual([]);
});

it("a process killed in the middle of an upload leaves what the next one goes on with", async () => {
  hub.partSize = partSize;
  hub.fault = (request) => (isPut(request) ? { delayMs: 150 } : undefined);
  const entry = fileURLToPath(new URL("push-folder.ts", import.meta.url));
  const options = { repo: "owner/run", token: hub.token, endpoint: hub.endpoint, cacheDir, maxWorkers: 1 };
  const code = `const { pushFolder } = await import(${JSON.stringify(entry)}); await pushFolder(${JSON.stringify(folder)}, ${JSON.stringify(options)});`;
  const child = spawn(process.execPath, ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", code], {
    stdio: "inherit",
  });
  while (hub.received < 4 * partSize) await sleep(10);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(commits()).toEqual([]);
  hub.fault = () => undefined;
  hub.received = 0;
  await push();
  expect(hub.received).toBeLessThanOrEqual(7 * partSize);
  expect(hub.received).toBeGreaterThanOrEqual(5 * partSize);
  expectWhole();
});
