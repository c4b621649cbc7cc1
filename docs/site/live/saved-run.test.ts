import { memoryStore, type Store } from "@kto/core";
import { expect, it } from "vitest";
import { keptRun } from "./kept-run.js";
import { begunState, foundState, nextState } from "./live-state.js";
import { dataFile, readSavedRun, writeAnswers } from "./saved-run.js";
import { defaultSettings } from "./settings.js";

const facts = { settings: { ...defaultSettings, updates: 16 }, dataName: "mine.jsonl", before: ["1", "2"] };
const data = new File(["rows"], "mine.jsonl");

/** A store with a run that was closed after ten updates. */
async function interrupted(): Promise<Store> {
  const store = memoryStore();
  const run = keptRun(store, { facts, data });
  await run.begin!({ startStep: undefined });
  for (let step = 1; step <= 10; step++) await run.appendMetrics({ step, loss: 1 / step });
  await store.write("checkpoint-8/trainer_state.json", "{}");
  await run.end!();
  return store;
}

it("a run that was closed is found with its facts, curves and checkpoint, and begins again there", async () => {
  const store = await interrupted();
  const saved = (await readSavedRun(store))!;
  expect(saved).toMatchObject({ facts, step: 8, after: undefined });
  expect(saved.records).toHaveLength(10);
  const found = foundState(saved, []);
  expect(found).toMatchObject({ phase: "idle", resumable: 8, step: 8, totalUpdates: 16, before: facts.before });
  expect(begunState(found, { resumes: true })).toMatchObject({ phase: "loading", step: 8, resumable: 8, records: { length: 8 } });
  expect(begunState(found, { resumes: false })).toMatchObject({ step: 0, resumable: undefined, before: undefined, records: [] });
});

it("a finished run is found with its answers; one that begins takes its place, and its data's", async () => {
  const store = await interrupted();
  await writeAnswers(store, ["a", "b"], { before: facts.before, after: ["3", "4"] });
  expect((await readSavedRun(store))!.after).toEqual(["3", "4"]);
  const next = keptRun(store, { facts: { ...facts, dataName: undefined }, data: undefined });
  await next.begin!({ startStep: undefined });
  expect(await readSavedRun(store)).toMatchObject({ facts: { dataName: undefined }, records: [], step: 0, after: undefined });
  expect(await store.open(dataFile)).toBeUndefined();
});

it.each([
  ["live.json", "no JSON"],
  ["live.json", '{"settings": 1}'],
  ["metrics.jsonl", "{\n"],
])("a run whose %s says %j is none, and another can begin", async (name, text) => {
  const store = await interrupted();
  await store.write(name, text);
  expect(await readSavedRun(store)).toBeUndefined();
});

it("a line that a closed tab left half-written is passed over", async () => {
  const store = await interrupted();
  await store.append("metrics.jsonl", '{"step": 11, "lo');
  expect((await readSavedRun(store))!.records).toHaveLength(10);
});

it("what was stopped or has failed can be gone on with from its checkpoint on", () => {
  const running = begunState(foundState({ facts, records: [], step: 0, after: undefined }, []), { resumes: false });
  const failure = { code: "DEVICE_LOST", message: "gone" };
  expect(nextState(running, { type: "failed", failure })).toMatchObject({ phase: "idle", end: "failed", failure, resumable: undefined });
  const kept = nextState(running, { type: "checkpoint", step: 8 });
  expect(nextState(kept, { type: "failed", failure })).toMatchObject({ resumable: 8 });
  expect(nextState(kept, { type: "stopped" })).toMatchObject({ phase: "idle", end: "stopped", resumable: 8 });
  const stopping = { ...kept, phase: "stopping" as const };
  expect(nextState(stopping, { type: "phase", phase: "after" }).phase).toBe("stopping");
});
