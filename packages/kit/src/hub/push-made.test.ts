import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGguf } from "@kto/gguf-export";
import { bytesSource } from "@kto/core";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startPushHub, type PushHub } from "../../../hub/src/testing/loopback-push.js";
import { openAdapter, openModel } from "../models/open-model.js";
import { pushToHubGguf, pushToHubMerged, type PushMergedOptions } from "./push-made.js";

let hub: PushHub;
let scratch: string;
beforeEach(async () => {
  hub = await startPushHub();
  scratch = mkdtempSync(join(tmpdir(), "kto-push-made-"));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

const to = (more: Partial<PushMergedOptions> = {}): PushMergedOptions => ({ repo: "owner/tuned", token: hub.token, endpoint: hub.endpoint, cacheDir: join(scratch, "cache"), ...more }); // prettier-ignore
const files = (): ReadonlyMap<string, Uint8Array> => hub.repos.get("model/owner/tuned")!.branches.get("main")!.at(-1)!.files;
const source = async (): Promise<{ model: Awaited<ReturnType<typeof openModel>>; adapters: { files: Awaited<ReturnType<typeof openAdapter>> }[] }> => ({
  model: await openModel(fixturePath("model")),
  adapters: [{ files: await openAdapter(fixturePath("lora", "main")) }],
}); // prettier-ignore
const temporaries = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("kto-made-"));

it("a merged model is a model of its own, with a card that tells of the run, and again it is the same", async () => {
  writeFileSync(join(scratch, "trainer_state.json"), '{"kto": {}, "log_history": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}]}');
  const before = temporaries();
  await pushToHubMerged(await source(), to({ dtype: "f16", run: scratch, baseModel: "org/base" }));
  expect([...files().keys()].sort()).toEqual(
    expect.arrayContaining(["README.md", "config.json", "loss-curve.svg", "model.safetensors", "tokenizer.json"]),
  );
  const card = hub.texts("model/owner/tuned")["README.md"]!;
  expect(card).toContain("base_model: org/base\nbase_model_relation: finetune\nlibrary_name: transformers\n");
  expect(card).toContain("A model made from [org/base](https://huggingface.co/org/base), trained with [KTO]");
  expect((await pushToHubMerged(await source(), to({ dtype: "f16", run: scratch, baseModel: "org/base" }))).changed).toEqual([]);
  expect(temporaries()).toEqual(before);
});

it("GGUF files, one kind or several, in the repository itself", async () => {
  const { model, adapters } = await source();
  await pushToHubGguf(model, { ...to(), adapter: adapters[0]!.files, types: ["F16"] });
  expect([...files().keys()].sort()).toEqual(["Modelfile", "README.md", "tuned-F16.gguf"]);
  expect(hub.texts("model/owner/tuned")["Modelfile"]).toContain("FROM ./tuned-F16.gguf\n");
  const gguf = await openGguf(bytesSource(files().get("tuned-F16.gguf")!));
  expect(gguf.metadata.get("general.architecture")).toMatchObject({ value: "qwen2" });
  expect(hub.texts("model/owner/tuned")["README.md"]).toContain("ollama run hf.co/owner/tuned:F16");
  const notes: string[] = [];
  await pushToHubGguf(model, { ...to(), types: ["F16", "Q8_0"], onNote: (note) => notes.push(note) });
  expect(notes).toEqual([]);
  expect([...files().keys()].filter((name) => name.endsWith(".gguf")).every((name) => !name.includes("/"))).toBe(true);
});

it("what will not be allowed is refused before anything is made", async () => {
  hub.role = "read";
  await expect(pushToHubMerged(await source(), to({ folder: join(scratch, "merged") }))).rejects.toThrow("this token only reads");
  expect(readdirSync(scratch)).toEqual([]);
});
