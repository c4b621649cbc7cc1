import { memoryStore, readText, type Store } from "@kto/core";
import { TextGenerator, type GenerationModel } from "@kto/generate";
import { getPeftModel } from "@kto/lora";
import type { Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { CPOTrainer, DPOTrainer, KTOTrainer, packScoredBatch, scoreBatch, SFTTrainer, type KTOConfig, type Tracker } from "@kto/trainer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataset, loadModel, openDevice, samplePrompts, type LoadedModel, type SamplePrompt } from "../index.js";
import { answerSamples, type AnswerSamplesOptions } from "./answer-samples.js";

const args = {
  perDeviceTrainBatchSize: 2,
  maxSteps: 2,
  learningRate: 1e-2,
  loggingSteps: 1,
  maxLength: 96,
  saveStrategy: "steps",
  saveSteps: 1,
} satisfies Partial<KTOConfig>;
const peftConfig = { r: 4, targetModules: ["q_proj", "v_proj"] };

let device: Device;
let model: LoadedModel;
let prompts: SamplePrompt[];
const rowsOf = (method: string, file = "rows.jsonl") => loadDataset(fixturePath(method, file), { maxRows: 6 });
beforeAll(async () => {
  device = await openDevice({ device: "auto" });
  model = await loadModel(fixturePath("model"), { device, dtype: "f32" });
  prompts = samplePrompts(await rowsOf("kto"), { tokenizer: model.tokenizer!, numPrompts: 3, maxPromptTokens: 90 }).prompts;
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

/** Its warnings are none. */
function sampling(store: Store, more: Partial<AnswerSamplesOptions> = {}): Tracker {
  const onWarning = (text: string): never => expect.fail(text);
  return answerSamples({ prompts, split: "train", tokenizer: model.tokenizer!, maxNewTokens: 6, store, onWarning, ...more });
}

interface Line {
  row: number;
  before?: string;
  after?: string;
  tokens?: { text: string; ids: number[]; logprob: number; ref_logprob?: number; log_ratio?: number }[];
}

async function linesOf(store: Store): Promise<Line[]> {
  const text = await readText(store, "samples.jsonl");
  return text!
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

describe("samples of a run", () => {
  it("are greedy answers before and after, with what each token has under both models, and change no bit of the run", async () => {
    const plain = new KTOTrainer({ model, peftConfig, trainDataset: await rowsOf("kto"), args });
    await plain.train();
    const adapter = await plain.model.readAdapter();
    plain.dispose();

    const store = memoryStore();
    using trainer = new KTOTrainer({ model, peftConfig, trainDataset: await rowsOf("kto"), args, trackers: [sampling(store)] });
    const { peakGpuMemoryBytes, plannedGpuMemoryBytes } = await trainer.train();
    expect(await trainer.model.readAdapter()).toEqual(adapter);
    expect(peakGpuMemoryBytes).toBeLessThanOrEqual(plannedGpuMemoryBytes);

    const lines = await linesOf(store);
    expect(lines.map(({ row }) => row)).toEqual(prompts.map(({ row }) => row));
    using generator = new TextGenerator(trainer.model as GenerationModel);
    for (const [index, { before, after, tokens }] of lines.entries()) {
      const asked = { inputIds: prompts[index]!.ids, maxNewTokens: 6, doSample: false };
      const now = await generator.generate(asked).result;
      expect(after).toBe(now.text);
      expect(before).toBe((await generator.generate({ ...asked, adapter: null }).result).text);
      expect(tokens!.flatMap(({ ids }) => ids)).toEqual(now.ids);
      const row = { promptIds: prompts[index]!.ids, completionIds: now.ids };
      const { logProbs } = device.scope(() =>
        device.noGrad(() => ({ logProbs: scoreBatch(trainer.model.base, packScoredBatch(model, [row])).logProbs })),
      );
      expect(tokens!.reduce((sum, { logprob }) => sum + logprob, 0)).toBeCloseTo((await device.readAll([logProbs]))[0]![0]!, 4);
      logProbs.dispose();
      for (const { logprob, ref_logprob: reference, log_ratio: ratio } of tokens!) expect(ratio).toBeCloseTo(logprob - reference!, 6);
    }
    expect(lines.some(({ tokens }) => tokens!.some(({ log_ratio: ratio }) => Math.abs(ratio!) > 1e-4))).toBe(true);
  });

  it("an interrupted run has those before, and one that goes on keeps them", async () => {
    const store = memoryStore();
    const interrupt = new AbortController();
    const trainDataset = await rowsOf("kto");
    const first = new KTOTrainer({ model, peftConfig, trainDataset, args, output: store, trackers: [sampling(store)] });
    const run = first.train({ signal: interrupt.signal });
    await run.next();
    interrupt.abort(new Error("Ctrl-C"));
    await expect(run.next()).rejects.toThrow("Ctrl-C");
    first.dispose();
    const before = await linesOf(store);
    expect(before.map((line) => "after" in line)).toEqual([false, false, false]);

    await store.write(
      "samples.jsonl",
      (await readText(store, "samples.jsonl"))!.replace(/"before":"[^"]*"/, '"before":"kept"').slice(0, -5),
    ); // the last is cut
    using second = new KTOTrainer({ model, peftConfig, trainDataset, args, output: store, trackers: [sampling(store)] });
    await second.train({ resumeFrom: true });
    const after = await linesOf(store);
    expect(after.map((line) => line.before)).toEqual(["kept", before[1]!.before, before[2]!.before]);
    for (const line of after) expect(line.tokens!.length).toBeGreaterThan(0);
  });

  it("one that is stopped after its last update is finished, without those after", async () => {
    const store = memoryStore();
    const interrupt = new AbortController();
    using trainer = new KTOTrainer({
      model,
      peftConfig,
      trainDataset: await rowsOf("kto"),
      args,
      trackers: [sampling(store)],
      onEvent: (event) => event.type === "update" && event.step === 2 && interrupt.abort(new Error("Ctrl-C")),
    });
    expect(await trainer.train({ signal: interrupt.signal })).toMatchObject({ globalStep: 2 });
    expect((await linesOf(store)).map((line) => "after" in line)).toEqual([false, false, false]);
  });

  it("one that is stopped while it answers before has not begun", async () => {
    const store = memoryStore();
    const interrupt = new AbortController();
    const trackers = [sampling(store, { onProgress: () => interrupt.abort(new Error("Ctrl-C")) })];
    using trainer = new KTOTrainer({ model, peftConfig, trainDataset: await rowsOf("kto"), args, output: store, trackers });
    await expect(trainer.train({ signal: interrupt.signal })).rejects.toThrow("Ctrl-C");
    expect(await store.list()).toEqual([]);
  });

  it("without room for one they are left out, which is told, and the run goes on", async () => {
    const warnings: string[] = [];
    const store = memoryStore();
    const long = [{ row: 0, prompt: "x", ids: Array.from({ length: 200 }, () => 5) }];
    const trackers = [sampling(store, { prompts: long, maxNewTokens: 300, onWarning: (text) => warnings.push(text) })];
    const trainDataset = (await rowsOf("kto")).take(2);
    using trainer = new KTOTrainer({
      model,
      peftConfig: { r: 1, targetModules: ["q_proj"] },
      trainDataset,
      args: { ...args, maxLength: 20 },
      trackers,
    });
    const { peakGpuMemoryBytes, plannedGpuMemoryBytes } = await trainer.train();
    expect(peakGpuMemoryBytes).toBeLessThanOrEqual(plannedGpuMemoryBytes);
    expect(warnings).toEqual(
      ["before", "after"].map((when) => expect.stringMatching(`answers ${when} training are left out: .*no room for an answer`) as string),
    );
  });

  it("DPO, SFT and CPO have them too; without a reference of their own they are compared with the model under the adapter", async () => {
    const trainers = { dpo: DPOTrainer, sft: SFTTrainer, cpo: CPOTrainer };
    for (const method of ["dpo", "sft", "cpo"] as const) {
      const store = memoryStore();
      using adapted = getPeftModel(model, peftConfig);
      const trainDataset = await (method === "sft" ? rowsOf("sft", "messages-rows.jsonl") : rowsOf("dpo"));
      using trainer = new trainers[method]({
        model: adapted,
        args: { ...args, saveStrategy: "no" },
        trainDataset,
        trackers: [sampling(store)],
      });
      await trainer.train();
      for (const { after, tokens } of await linesOf(store)) {
        expect(after, method).toBeTypeOf("string");
        for (const token of tokens!) expect(token.log_ratio, method).toBeTypeOf("number");
      }
    }
  });

  it("of a model that is trained whole there is a log-ratio where its reference is kept", async () => {
    for (const kept of [true, false]) {
      using whole = await loadModel(fixturePath("model"), { device, dtype: "f32", trainable: true });
      const store = memoryStore();
      const precompute = { precomputeRefLogProbs: !kept };
      using trainer = new KTOTrainer({
        model: whole,
        trainDataset: await rowsOf("kto"),
        args: { ...args, ...precompute, learningRate: 1e-3, saveStrategy: "no" },
        trackers: [sampling(store)],
      });
      await trainer.train();
      const tokens = (await linesOf(store)).flatMap((line) => line.tokens!);
      expect(tokens.every((token) => "log_ratio" in token)).toBe(kept);
      if (kept) expect(tokens.some(({ log_ratio: ratio }) => Math.abs(ratio!) > 1e-4)).toBe(true);
    }
  });
});
