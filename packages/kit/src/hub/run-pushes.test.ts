import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startPushHub, type PushedRepo, type PushHub } from "../../../hub/src/testing/loopback-push.js";
import { openRunPushes, type RunPushes, type RunPushOptions } from "./run-pushes.js";

let hub: PushHub;
let folder: string;
let warnings: string[];
beforeEach(async () => {
  hub = await startPushHub();
  folder = mkdtempSync(join(tmpdir(), "kto-run-pushes-"));
  warnings = [];
  writeFileSync(join(folder, "resolved_config.yaml"), "method: kto\n");
  writeFileSync(join(folder, ".kto.lock"), "{}");
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const open = (more: Partial<RunPushOptions> = {}): Promise<RunPushes> =>
  openRunPushes(folder, {
    repo: "run",
    token: hub.token,
    endpoint: hub.endpoint,
    retry: { count: 1, baseMs: 1 },
    onWarning: (warning) => warnings.push(warning),
    ...more,
  });
const repo = (): PushedRepo => hub.repos.get("model/owner/run")!;
const summaries = (): string[] => repo().branches.get("main")!.slice(1).map(({ summary }) => summary); // prettier-ignore
const paths = (): string[] => Object.keys(hub.texts("model/owner/run")).sort();

/** A checkpoint as the trainer leaves it. */
function checkpoint(step: number): { step: number; path: string } {
  const path = join(folder, `checkpoint-${step}`);
  mkdirSync(path);
  writeFileSync(join(path, "adapter_model.safetensors"), `weights ${step}`);
  writeFileSync(join(path, "adapter_config.json"), '{"peft_type": "LORA"}');
  writeFileSync(join(path, "trainer_state.json"), `{"global_step": ${step}}`);
  writeFileSync(join(path, "optimizer.safetensors"), `moments ${step}`);
  return { step, path };
}

function finish(step: number): void {
  writeFileSync(join(folder, "adapter_model.safetensors"), `weights ${step}`);
  writeFileSync(join(folder, "adapter_config.json"), '{"peft_type": "LORA"}');
  writeFileSync(join(folder, "train_results.json"), "{}");
}

const ofRun = ["README.md", "adapter_config.json", "adapter_model.safetensors", "resolved_config.yaml"];

it("end: nothing until the run is over", async () => {
  const pushes = await open({ strategy: "end" });
  expect(pushes).toMatchObject({ repo: "owner/run", url: `${hub.endpoint}/owner/run` });
  pushes.checkpointSaved(checkpoint(1));
  await pushes.settled();
  expect(summaries()).toEqual([]);
  finish(1);
  const { changed } = await pushes.end();
  expect(changed).toEqual([...ofRun, "train_results.json"]);
  expect(summaries()).toEqual(["End of training"]);
});

it("every_save: what a checkpoint would load, held on to although the run removes it", async () => {
  const pushes = await open();
  const saved = checkpoint(1);
  pushes.checkpointSaved(saved);
  rmSync(saved.path, { recursive: true });
  await pushes.settled();
  expect(summaries()).toEqual(["Training in progress, step 1"]);
  expect(paths()).toEqual([...ofRun, "trainer_state.json"]);
  expect(pushes.lastStep).toBe(1);
  expect(readdirSync(folder).sort()).toEqual([".kto.lock", "resolved_config.yaml"]);
});

it("checkpoint: the newest one too, as last-checkpoint", async () => {
  const pushes = await open({ strategy: "checkpoint" });
  for (const step of [1, 2]) {
    pushes.checkpointSaved(checkpoint(step));
    await pushes.settled();
  }
  const texts = hub.texts("model/owner/run");
  expect(texts["last-checkpoint/optimizer.safetensors"]).toBe("moments 2");
  expect(texts["optimizer.safetensors"]).toBeUndefined();
  checkpoint(10); // not told of: as though its push had been passed over
  finish(10);
  await pushes.end();
  expect(hub.texts("model/owner/run")).toMatchObject({ "last-checkpoint/optimizer.safetensors": "moments 10", "adapter_model.safetensors": "weights 10" }); // prettier-ignore
  expect(paths().filter((path) => path.startsWith("checkpoint-"))).toEqual([]);
});

it("all_checkpoints: each under its name; those that were passed over come at the end", async () => {
  const pushes = await open({ strategy: "all_checkpoints" });
  for (const step of [1, 2]) pushes.checkpointSaved(checkpoint(step)); // the second comes while the first is under way
  await pushes.settled();
  expect(summaries()).toEqual(["Training in progress, step 1"]);
  finish(2);
  await pushes.end();
  expect(summaries()).toHaveLength(2);
  for (const step of [1, 2]) expect(hub.texts("model/owner/run")[`checkpoint-${step}/optimizer.safetensors`]).toBe(`moments ${step}`);
});

it("with alwaysPush none is passed over", async () => {
  const pushes = await open({ strategy: "all_checkpoints", alwaysPush: true });
  for (const step of [1, 2, 3]) pushes.checkpointSaved(checkpoint(step));
  await pushes.settled();
  expect(summaries()).toEqual([1, 2, 3].map((step) => `Training in progress, step ${step}`));
});

it("one that fails is a warning, and comes at the end; one that fails at the end is an error", async () => {
  const pushes = await open({ strategy: "all_checkpoints" });
  hub.fault = ({ path }) => (path.includes("/commit/") ? { status: 503 } : undefined);
  pushes.checkpointSaved(checkpoint(1));
  await pushes.settled();
  expect(warnings).toEqual([expect.stringMatching(/^the push of update 1 failed and is tried again at the end: push: .*status 503/)]);
  finish(1);
  await expect(pushes.end()).rejects.toMatchObject({ code: "HUB", status: 503 });
  hub.fault = () => undefined;
  await pushes.end();
  expect(hub.texts("model/owner/run")["checkpoint-1/optimizer.safetensors"]).toBe("moments 1");
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

it("an abort ends what is under way without a word, and nothing more begins", async () => {
  const stop = new AbortController();
  const pushes = await open({ signal: stop.signal });
  hub.fault = ({ host }) => (host === "storage" ? { delayMs: 500 } : undefined);
  pushes.checkpointSaved(checkpoint(1));
  stop.abort(new Error("stop"));
  pushes.checkpointSaved(checkpoint(2));
  await pushes.settled();
  expect(warnings).toEqual([]);
  expect(summaries()).toEqual([]);
  await expect(pushes.end()).rejects.toThrow(/^stop$/);
});

it("refused before there is anything to push", async () => {
  await expect(open({ repo: "other/run" })).rejects.toMatchObject({ status: 403 });
  await expect(open({ token: "" })).rejects.toMatchObject({ reason: "unauthorized" });
  hub.role = "read";
  await expect(open()).rejects.toThrow("this token only reads");
});
