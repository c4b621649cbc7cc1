import { FormatError, memoryStore, readText, type Store } from "@kto/core";
import { loraConfig } from "@kto/lora";
import { describe, expect, it } from "vitest";
import {
  progressAt,
  tinyCheckpointFiles,
  filesOf,
  tinyAdapter,
  tinyRun,
  writeTinyCheckpoint,
  unsealed,
} from "../testing/tiny-checkpoint.js";
import { CheckpointError } from "./checkpoint-error.js";
import type { RunToResume } from "./checkpoint.js";
import { findCheckpoint, type FoundCheckpoint } from "./find-checkpoint.js";
import { sealTrainerState } from "./read-trainer-state.js";

const fileNames = ["trainer_state.json", "adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors"];
type Damage = (bytes: Uint8Array, other: Uint8Array) => Uint8Array | undefined;

/** A store with checkpoints 2 and 5, one file of one of them damaged. */
async function damagedStore(file: string, damage: Damage, { checkpoint = "checkpoint-5", sealed = true } = {}): Promise<Store> {
  const store = memoryStore("run");
  for (const step of [2, 5]) {
    await writeTinyCheckpoint(store, step);
    if (!sealed) await removeSums(store, `checkpoint-${step}/trainer_state.json`);
  }
  const damaged = damage((await tinyCheckpointFiles(5)).get(file)!, (await tinyCheckpointFiles(2)).get(file)!);
  if (damaged) await store.write(`${checkpoint}/${file}`, damaged);
  else await store.remove(`${checkpoint}/${file}`);
  return store;
}

/** As it was before sums were kept. */
async function removeSums(store: Store, path: string): Promise<void> {
  await store.write(path, unsealed((await readText(store, path))!));
}

const newest = (store: Store, run: RunToResume = tinyRun): Promise<FoundCheckpoint> => findCheckpoint(true, store, run);
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));

/** What happens to files: how a text or a safetensors file is cut, overwritten or swapped. */
const damages: Record<string, Damage> = {
  missing: () => undefined,
  empty: () => new Uint8Array(0),
  "cut in its header": (bytes) => bytes.slice(0, 5),
  "cut in its middle": (bytes) => bytes.slice(0, bytes.length >> 1),
  "without its last byte": (bytes) => bytes.slice(0, -2),
  "with more at its end": (bytes) => Uint8Array.from([...bytes, 123]),
  "of zeros": (bytes) => new Uint8Array(bytes.length),
  "another's text": () => text("not found"),
  "JSON of something else": () => text('{"a": [1, 2]}'),
  "an HTML page": () => text("<!doctype html><title>502</title>"),
};

describe.each(fileNames)("%s that is damaged", (file) => {
  it.each(Object.entries(damages))("%s: the checkpoint before it is taken, and the file named", async (_what, damage) => {
    for (const sealed of [true, false]) {
      const { checkpoint, damaged } = await newest(await damagedStore(file, damage, { sealed }));
      expect(checkpoint).toMatchObject({ name: "checkpoint-2", state: { progress: progressAt(2) } });
      expect(damaged).toMatchObject([{ checkpoint: "checkpoint-5", file }]);
    }
  });

  it("cut anywhere", async () => {
    const store = await damagedStore(file, (bytes) => bytes);
    const whole = (await tinyCheckpointFiles(5)).get(file)!;
    const last = whole.length - (file === "trainer_state.json" ? 2 : 1); // a newline at the end is no loss
    for (let end = 0; end <= last; end += end < 64 || end > last - 16 ? 1 : 7) {
      await store.write(`checkpoint-5/${file}`, whole.slice(0, end));
      expect((await newest(store)).damaged, `cut at ${end}`).toHaveLength(1);
    }
  });

  it("with any bit flipped, or from another checkpoint, is found by its sum", async () => {
    const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a;
    const store = await damagedStore(file, (_, other) => other);
    // The config is the same in both.
    expect((await newest(store)).damaged).toHaveLength(file === "adapter_config.json" ? 0 : 1);
    const whole = (await tinyCheckpointFiles(5)).get(file)!;
    for (let at = 0; at < whole.length; at += 7) {
      if (file === "trainer_state.json" && isBlank(whole[at])) continue; // what stands between values is not summed
      await store.write(`checkpoint-5/${file}`, flipped(whole, at));
      expect((await newest(store)).checkpoint?.name, `bit of byte ${at}`).toBe("checkpoint-2");
    }
  });

  it("of a checkpoint that is named is an error that names it, and of all of them too", async () => {
    const store = await damagedStore(file, (bytes) => bytes.slice(0, 20));
    const named = findCheckpoint("checkpoint-5", store, tinyRun);
    await expect(named).rejects.toThrow(CheckpointError);
    await expect(named).rejects.toThrow(`resume: checkpoint-5/${file} is damaged: `);
    await expect(findCheckpoint(store.folder("checkpoint-5"), undefined, tinyRun)).rejects.toMatchObject({
      checkpoint: "checkpoint-5",
      file,
    });
    await store.remove("checkpoint-2/optimizer.safetensors");
    await expect(newest(store)).rejects.toThrow(
      new RegExp(
        `checkpoint-5/${file} is damaged: .*; checkpoint-2/optimizer\\.safetensors: it is missing; run has no checkpoint that is whole; pass overwrite`,
      ),
    );
  });
});

it("a checkpoint that is whole is taken, with its state to the bit", async () => {
  const { checkpoint, damaged } = await newest(await damagedStore("README.md", () => text("notes of my own")));
  expect(damaged).toEqual([]);
  expect(checkpoint?.name).toBe("checkpoint-5");
  expect(checkpoint?.state.progress).toEqual(progressAt(5));
  expect(Object.keys(checkpoint!.state.files)).toEqual(["adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors"]);
});

it("one from before sums were kept is taken, and files of another update in it are not", async () => {
  const store = await damagedStore("README.md", () => text("notes"), { sealed: false });
  expect((await newest(store)).checkpoint).toMatchObject({ name: "checkpoint-5", state: { files: {}, seal: undefined } });
  await store.write("checkpoint-5/optimizer.safetensors", (await tinyCheckpointFiles(2)).get("optimizer.safetensors")!);
  expect((await newest(store)).damaged).toMatchObject([
    { file: "optimizer.safetensors", problem: expect.stringContaining("expected step 5, got 2") },
  ]);
});

it("no checkpoint at all is no error, a named one that is not there is", async () => {
  expect(await newest(memoryStore())).toEqual({ checkpoint: undefined, damaged: [] });
  await expect(findCheckpoint("checkpoint-7", memoryStore(), tinyRun)).rejects.toThrow(
    "checkpoint-7/trainer_state.json is damaged: it is missing",
  );
  await expect(findCheckpoint(true, undefined, tinyRun)).rejects.toMatchObject({ code: "TRAINER_USAGE" });
});

describe("a whole checkpoint of another run is refused, and none before it is tried", () => {
  it("of another rank, and of other layers", async () => {
    const store = await damagedStore("README.md", () => text("notes"));
    const [target] = tinyAdapter.targets;
    const wider = { config: loraConfig({ r: 3, targetModules: ["q_proj"] }), targets: [{ ...target!, r: 3 }], embeddings: new Map() };
    const error = newest(store, { ...tinyRun, files: filesOf(wider) });
    await expect(error).rejects.toThrow(
      "resume: checkpoint-5 does not fit: it is of another adapter: r 2 there, 3 here; resume with the settings of that run",
    );
    await expect(error).rejects.not.toThrow(CheckpointError);
    const elsewhere = {
      config: loraConfig({ r: 2, targetModules: ["v_proj"] }),
      targets: [{ ...target!, path: "model.layers.0.self_attn.v_proj" }],
      embeddings: new Map(),
    };
    await expect(newest(store, { ...tinyRun, files: filesOf(elsewhere) })).rejects.toThrow(
      /another adapter: targetModules \["q_proj"\] there, \["v_proj"\] here/,
    );
  });

  it("of another optimizer", async () => {
    const store = await damagedStore("README.md", () => text("notes"));
    const other: RunToResume = { ...tinyRun, optimizer: { ...tinyRun.optimizer, kind: "adamw_8bit" } };
    const error = newest(store, other);
    await expect(error).rejects.toThrow(FormatError);
    await expect(error).rejects.toThrow(/holds the state of another optimizer; expected adamw_8bit, got adamw; resume with the settings/);
  });
});

it("a state is sealed over its values: layout does not matter, a digit does", async () => {
  const state = '{"kto":{"total_loss":1.5},"global_step":5}';
  const sealed = await sealTrainerState(state, {});
  expect(JSON.parse(sealed)).toMatchObject({ kto: { total_loss: 1.5, files: {}, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  expect(await sealTrainerState(state, {})).toBe(sealed);
  const store = await damagedStore("README.md", () => text("notes"));
  const path = "checkpoint-5/trainer_state.json";
  const whole = (await readText(store, path))!;
  await store.write(path, JSON.stringify(JSON.parse(whole)));
  expect((await newest(store)).damaged).toEqual([]);
  await store.write(path, whole.replace('"total_loss": 2.5', '"total_loss": 2.4'));
  expect((await newest(store)).damaged).toMatchObject([{ problem: expect.stringContaining("its SHA-256 differs") }]);
});
