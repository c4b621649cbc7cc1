import { existsSync, readdirSync, readFileSync } from "node:fs";
import { loadDataset } from "@kto/datasets";
import { hub as hubSource } from "@kto/hub/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { Tokenizer } from "@kto/tokenizer";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { load } from "js-yaml";
import { startLoopbackHub, type LoopbackHub } from "../../hub/src/testing/loopback-hub.js";
import { filesOf, mixRepository, mixRows } from "./testing/mix-repository.js";
import { errorLinesOf, hubEnv, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

const rows = mixRows().filter((_row, index) => index !== 3 && index !== 5); // two are too long for these runs
const tiny = filesOf("model");
let folder: ReturnType<typeof temporaryFolder>;
let hub: LoopbackHub;
let commit: string;
beforeAll(async () => {
  folder = temporaryFolder();
  hub = await startLoopbackHub();
  commit = hub.addModel("owner/tiny", { ...tiny, "pytorch_model.bin": "a pickle", "onnx/model.onnx": "a graph" });
  hub.addDataset("owner/data", mixRepository([rows.slice(0, 8), rows.slice(8, 30)], rows.slice(50)));
});
afterAll(async () => {
  await hub[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(() => hub.reset());

const online = (): Record<string, string> => hubEnv(hub, folder.file("cache"));
const offline = (): Record<string, string> => ({ ...online(), HF_HUB_OFFLINE: "1" });
const score = (env: Record<string, string>, ...more: string[]): Promise<Outcome> =>
  kto(["score", "--model", "owner/tiny", "--data", "owner/data", "--split", "test", "--max_length", "96", "--json", ...more], { env });
const train = (env: Record<string, string>, output: string, ...more: string[]): Promise<Outcome> =>
  kto(
    [
      ..."train --model_name_or_path owner/tiny --dataset_name owner/data --use_peft --lora_r 4 --max_length 96".split(" "),
      ..."--max_train_samples 4 --per_device_train_batch_size 2 --max_steps 2 --learning_rate 1e-3 --logging_steps 1".split(" "),
      ..."--save_strategy steps --save_steps 1 --output_dir".split(" "),
      folder.file(output),
      ...more,
    ],
    { env },
  );
/** A flag of `score` as `train` spells it. */
const trainFlag = (flag: string): string =>
  ({ "--split": "--dataset_train_split", "--data": "--dataset_name", "--adapter": "--adapter_name_or_path" })[flag] ?? flag;
const yamlOf = (output: string): Record<string, unknown> =>
  load(readFileSync(folder.file(output, "resolved_config.yaml"), "utf8")) as Record<string, unknown>;
const adapterOf = (output: string): Buffer => readFileSync(folder.file(output, "adapter_model.safetensors"));

describe("kto score", () => {
  it("downloads a model and data, only what it needs, and scores as with folders", async () => {
    const { status, stdout, stderr } = await score(online());
    expect({ status, errors: stderr.match(/error.*/g) }).toEqual({ status: 0, errors: null });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => typeof (JSON.parse(line) as { logps: number }).logps)).toEqual(rows.slice(50).map(() => "number"));
    expect(hub.requested().join("\n")).not.toMatch(/\.bin|onnx|README\.md .*tiny|train-0000/);
    for (const line of stderr.split("\n").filter((text) => !text.startsWith("note: "))) expect(line.length).toBeLessThanOrEqual(80);
    expect(stderr).toMatch(/^model\.safetensors: 100% 611k\/611k /m);

    hub.reset();
    const again = await score(offline());
    expect(again.stdout).toBe(stdout);
    expect(hub.requests).toEqual([]);
    const local = await kto(
      ["score", "--model", fixturePath("model"), "--data", "owner/data", "--split", "test", "--max_length", "96", "--json", "--quiet"],
      { env: offline() },
    );
    expect(local).toEqual({ status: 0, stdout, stderr: "" });
  });

  it("takes a sharded model, and an adapter of the hub", async () => {
    hub.addModel("owner/sharded", { ...filesOf("model-sharded"), "model-00009-of-00009.safetensors": "of another export" });
    hub.addModel("owner/adapter", filesOf("adapters/r8-a16-trained"));
    const outcome = await score(online(), "--model", "owner/sharded", "--adapter", "owner/adapter");
    expect({ status: outcome.status, errors: errorLinesOf(outcome) }).toEqual({ status: 0, errors: [] });
    expect(hub.requested().join("\n")).not.toContain("model-00009");
    const local = await score(
      online(),
      ..."--model --adapter"
        .split(" ")
        .flatMap((flag, index) => [flag, fixturePath(...[["model-sharded"], ["adapters", "r8-a16-trained"]][index]!)]),
    );
    expect(outcome.stdout).toBe(local.stdout);
  });

  it("takes the four-bit checkpoint when asked to, and says which", async () => {
    const { "model.safetensors": _weights, "config.json": _config, ...tokenizer } = filesOf("model-bf16");
    hub.addModel("deepseek-ai/tiny", filesOf("model-bf16"));
    hub.addModel("unsloth/tiny-unsloth-bnb-4bit", { ...tokenizer, ...filesOf("nf4/model-dynamic") });
    const plain = await score(online(), "--model", "deepseek-ai/tiny");
    expect(hub.requested().join("\n")).not.toContain("unsloth");
    const mapped = await score(online(), "--model", "deepseek-ai/tiny", "--prefer_4bit_checkpoint");
    expect(mapped.status, mapped.stderr).toBe(0);
    expect(mapped.stderr).toContain("model: unsloth/tiny-unsloth-bnb-4bit (four-bit checkpoint of deepseek-ai/tiny)\n");
    expect(mapped.stdout).not.toBe(plain.stdout);
    expect((await score(online(), "--model", "unsloth/tiny-unsloth-bnb-4bit")).stdout).toBe(mapped.stdout);
    const none = await score(online(), "--model", "owner/sharded", "--prefer_4bit_checkpoint");
    expect(none.stderr).toContain("note: the hub has no four-bit checkpoint of owner/sharded; taking owner/sharded itself\n");
  });
});

describe("kto train", () => {
  it("trains on a model and a split of the hub, and records their names and commits", async () => {
    const outcome = await train(online(), "run", "--eval_strategy", "steps", "--eval_steps", "2", "--json");
    expect({ status: outcome.status, errors: errorLinesOf(outcome) }).toEqual({ status: 0, errors: [] });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ global_step: 2 });
    expect(outcome.stderr).toMatch(/^evaluation: loss /m);
    expect(hub.requested().join("\n")).not.toContain("train-00001"); // the first file has the four rows
    const adapter = JSON.parse(readFileSync(folder.file("run", "adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(adapter).toMatchObject({ base_model_name_or_path: "owner/tiny", revision: null });
    expect(yamlOf("run")).toMatchObject({
      model_name_or_path: "owner/tiny",
      dataset_name: "owner/data",
      train_file: null,
      commits: { "owner/tiny": commit, "datasets/owner/data": expect.stringMatching(/^[0-9a-f]{40}$/) as unknown },
    });
    expect(readdirSync(folder.file("run"))).toContain("tokenizer.json");
  });

  it("repeats offline from resolved_config.yaml, and resumes, to the same bits and without a request", async () => {
    const again = ["train", folder.file("run", "resolved_config.yaml"), "--output_dir", folder.file("again"), "--quiet"];
    expect((await kto(again, { env: offline() })).status).toBe(0);
    expect(adapterOf("again").equals(adapterOf("run"))).toBe(true);
    const resume = ["--eval_strategy", "steps", "--eval_steps", "2", "--resume_from_checkpoint", "checkpoint-1", "--quiet"];
    expect((await train(offline(), "again", ...resume)).status).toBe(0);
    expect(adapterOf("again").equals(adapterOf("run"))).toBe(true);
    expect(hub.requests).toEqual([]);
  });

  it("records a revision as peft does, and the name that was asked for with a four-bit checkpoint", async () => {
    const moved = hub.addModel("owner/tiny", tiny, { revision: "v2" });
    expect((await train(online(), "revision", "--model_revision", "v2", "--max_steps", "1", "--quiet")).status).toBe(0);
    expect(JSON.parse(readFileSync(folder.file("revision", "adapter_config.json"), "utf8"))).toMatchObject({
      base_model_name_or_path: "owner/tiny",
      revision: "v2",
    });
    expect(yamlOf("revision")["commits"]).toMatchObject({ "owner/tiny@v2": moved });

    const more = ["--model_name_or_path", "deepseek-ai/tiny", "--load_in_4bit", "--prefer_4bit_checkpoint", "--max_steps", "1"];
    const outcome = await train(online(), "mapped", ...more);
    expect({ status: outcome.status, errors: errorLinesOf(outcome) }).toEqual({ status: 0, errors: [] });
    expect(outcome.stderr).toContain("model: unsloth/tiny-unsloth-bnb-4bit (four-bit checkpoint of deepseek-ai/tiny)\n");
    expect(JSON.parse(readFileSync(folder.file("mapped", "adapter_config.json"), "utf8"))).toMatchObject({
      base_model_name_or_path: "deepseek-ai/tiny",
    });
    expect(yamlOf("mapped")).toMatchObject({ model_name_or_path: "deepseek-ai/tiny", prefer_4bit_checkpoint: true });
  });
});

describe("models that cannot be used: status 2, one line, and no weights are fetched", () => {
  it.each<[string, string, Record<string, string | Uint8Array>, RegExp]>([
    [
      "only pickle weights",
      "owner/pickle",
      { "config.json": tiny["config.json"]!, "pytorch_model.bin": "x" },
      /HUB.*only pickle weights \(pytorch_model\.bin\)/,
    ],
    ["GGUF", "owner/tiny-GGUF", { "tiny.Q4_K_M.gguf": "GGUF" }, /owner\/tiny-GGUF holds GGUF files \(tiny\.Q4_K_M\.gguf\)/],
    ["no weights", "owner/none", { "config.json": tiny["config.json"]! }, /owner\/none has no model\.safetensors.*got config\.json/],
    [
      "another architecture",
      "owner/llama",
      { ...tiny, "config.json": '{"model_type": "llama"}' },
      /config\.json of owner\/llama.*got "llama"/,
    ],
    ["a config that is no JSON", "owner/broken", { ...tiny, "config.json": "{" }, /config\.json of owner\/broken cannot be read/],
    [
      "an index that lists nothing",
      "owner/index",
      { "config.json": tiny["config.json"]!, "model.safetensors.index.json": "{}" },
      /model\.safetensors\.index\.json of owner\/index lists no files/,
    ],
  ])("%s", async (_what, id, files, says) => {
    hub.addModel(id, files);
    const outcome = await score(online(), "--model", id);
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(hub.requests.filter(({ host }) => host === "storage")).toEqual([]);
  });

  it.each<[string, string[], RegExp]>([
    ["a name that nobody knows", ["--model", "models/tiny"], /no model models\/tiny.*no file or folder models\/tiny either/],
    ["an adapter that is a model", ["--adapter", "owner/tiny"], /owner\/tiny is the folder of a model|owner\/tiny .*model/],
  ])("%s", async (_what, argv, says) => {
    const outcome = await score(online(), ...argv);
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
  });

  it.each<[string, string[], RegExp]>([
    ["a split that there is not", ["--split", "nope"], /owner\/data has no split "nope"/],
    ["a file that there is not", ["--data", "./nope.jsonl"], /nope\.jsonl/],
    ["an adapter that there is not", ["--adapter", "./nope"], /nope/],
  ])("%s, with a good model", async (_what, argv, says) => {
    hub.addModel("owner/unfetched", tiny);
    for (const outcome of [
      await score(online(), "--model", "owner/unfetched", ...argv),
      await train(online(), "refused", "--model_name_or_path", "owner/unfetched", ...argv.map(trainFlag)),
    ]) {
      expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
      expect(outcome).toMatchObject({ status: 2, stdout: "" });
    }
    expect(hub.requests.filter(({ host }) => host === "storage")).toEqual([]);
    expect(existsSync(folder.file("refused"))).toBe(false);
  });

  it("two revisions", async () => {
    const outcome = await train(online(), "refused", "--model_name_or_path", "owner/tiny@v2", "--model_revision", "v3");
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/CONFIG.*model_revision: owner\/tiny@v2 names a revision too/)]);
    expect(existsSync(folder.file("refused"))).toBe(false);
  });
});

it("a download that is interrupted on the way to training: 130, and the next run goes on", async () => {
  hub.addModel("owner/slow", tiny);
  hub.fault = ({ host }) => (host === "storage" ? { bytesPerSecond: 300_000 } : undefined);
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("stop")), 1000);
  const argv = ["score", "--model", "owner/slow", "--data", "owner/data", "--split", "test", "--max_length", "96"];
  const cut = await kto(argv, { env: hubEnv(hub, folder.file("other")), signal: stop.signal });
  expect(cut).toMatchObject({ status: 130, stdout: "" });
  expect(cut.stderr).toMatch(/what was downloaded is kept, and the same command goes on from there\n$/);
  hub.fault = () => undefined;
  expect((await kto([...argv, "--quiet"], { env: hubEnv(hub, folder.file("other")) })).status).toBe(0);
});

it("the packages take a repository like a folder", async () => {
  const options = { endpoint: hub.endpoint, cacheDir: folder.file("library"), token: false, offline: false } as const;
  const dataset = await loadDataset(hubSource("owner/data", { ...options, repoType: "dataset" }), { split: "train" });
  expect(dataset.toArray()).toEqual(rows.slice(0, 30));
  const source = hubSource("owner/tiny", options);
  const tokenizer = await Tokenizer.fromPretrained(source);
  await using device = await requestDevice();
  using model = await Qwen2ForCausalLM.fromPretrained(source, { device, dtype: "f32" });
  expect(model.config.vocabSize).toBeGreaterThanOrEqual(tokenizer.encode("2 + 2 = 4").length);
});
