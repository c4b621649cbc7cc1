import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

const row = { prompt: "2 + 2 =", completion: " 4", label: true };

function rowsFile(rows: readonly unknown[], name = "rows.jsonl"): string {
  writeFileSync(folder.file(name), rows.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join("\n"));
  return folder.file(name);
}

/** A copy of the tiny model, changed. */
function modelCopy(change: (file: (name: string) => string) => void): string {
  const path = folder.file("model");
  cpSync(fixturePath("model"), path, { recursive: true });
  change((name) => folder.file("model", name));
  return path;
}

/** `kto train` with good settings but those given; a good run would need a GPU, which no case here gets to. */
async function train(given: Record<string, string>, ...more: string[]): Promise<Outcome> {
  const flags = { model_name_or_path: fixturePath("model"), use_peft: "true", output_dir: folder.file("out"), ...given };
  if (!("train_file" in flags)) Object.assign(flags, { train_file: fixturePath("kto", "rows.jsonl") });
  return kto(["train", ...Object.entries(flags).flatMap(([field, value]) => [`--${field}`, value]), ...more], {
    env: { KTO_DEVICE: "gpu", VK_DRIVER_FILES: "" },
  });
}

/** Exit status 2, one line that says all these things, nothing on stdout, nothing written. */
function expectRefused(outcome: Outcome, ...says: readonly (string | RegExp)[]): void {
  const lines = errorLinesOf(outcome);
  expect(lines, outcome.stderr).toHaveLength(1);
  for (const text of says)
    expect(lines[0]).toMatch(text instanceof RegExp ? text : new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  expect(outcome).toMatchObject({ status: 2, stdout: "" });
  expect(outcome.stderr).not.toMatch(/\n\s+at /);
  expect(existsSync(folder.file("out"))).toBe(false);
}

describe("values of fields", () => {
  it.each([
    ["beta", "much", /--beta: .*above 0, got "much"/],
    ["beta", "0", /above 0, got 0/],
    ["per_device_train_batch_size", "0", /at least 1, got 0/],
    ["per_device_train_batch_size", "1", /at least 2, got 1.*apo_zero_unpaired/],
    ["per_device_train_batch_size", "2.5", /integer/],
    ["learning_rate", "-1", /--learning_rate/],
    ["max_length", "1", /at least 2/],
    ["num_train_epochs", "none", /--num_train_epochs/],
    ["lora_dropout", "1", /below 1/],
    ["loss_type", "dpo", /one of kto, apo_zero_unpaired/],
    ["lr_scheduler_type", "cosin", /one of linear, cosine/],
    ["lr_scheduler_kwargs", '{"num_waves": 2}', /num_waves/],
    ["optim", "sgd", /one of adamw, adamw_torch, adamw_torch_fused, .*, adamw_8bit, .*, paged_adamw_32bit, .*, got "sgd"/],
    ["optim", "adafactor", /one of adamw, .*got "adafactor"/],
    ["load_in_4bit", "4", /true or false, got "4"/],
    ["max_memory", "much", /a size such as "4GiB".*got "much"/],
    ["max_memory", "0", /a size such as "4GiB"/],
    ["gradient_checkpointing", "sometimes", /true or false or auto/],
    ["use_dora", "true", /--use_dora/],
    [
      "method",
      "dpo",
      /row 0: there is no pair of answers; expected chosen and rejected, .*, got labelled completions; this method compares two answers/,
    ],
    ["method", "ppo", /--method: not usable; expected one of kto, dpo, sft, orpo, cpo, got "ppo"/],
    ["use_peft", "maybe", /true or false, got "maybe"/],
    ["eval_strategy", "steps", /eval_file/],
    ["save_total_limit", "0", /at least 1/],
    ["resume_from_checkpoint", "checkpoint-9", /complete checkpoint/],
    ["chat_template", "no-such-file.jinja", /Jinja text or a file that holds it, or one of chatml, .*\(no such file\); check the path/],
    ["chat_template", "chatlm", /did you mean chatml\?/],
    ["deepspeed", "z3.json", /--deepspeed: a field of trl, peft or transformers that kto does not have/],
    ["max_prompt_length", "128", /--max_prompt_length/],
    ["model", "elsewhere", /--model: it means the same as --model_name_or_path, which is given too; expected one of the two/],
    ["adaptor", "a", /did you mean adapter\?/],
    ["devise", "gpu", /did you mean device\?/],
    ["wholly_unheard_of", "1", /there is no such field; expected one that kto train --help lists; remove it/],
    ["learning_rat", "1e-5", /did you mean learning_rate\?/],
    ["lora_rank", "8", /--lora_rank: there is no such field/],
  ])("%s: %s", async (field, value, says) => expectRefused(await train({ [field]: value }), says));

  it("reports every mistake of a config, each with its place", async () => {
    writeFileSync(folder.file("kto.yaml"), "beta: much\nlearning_rat: 1\nper_device_train_batch_size: 0\nload_in_4bit: some\noptim: sgd\n");
    const config = folder.file("kto.yaml");
    const outcome = await kto(["train", "--config", config, "--use_peft", "--model_name_or_path", "m", "--train_file", "t"]);
    const lines = errorLinesOf(outcome);
    expect(outcome.status).toBe(2);
    for (const field of ["beta", "learning_rat", "per_device_train_batch_size", "load_in_4bit", "optim"]) {
      expect(lines.filter((line) => line.startsWith(`kto: error[CONFIG]: ${field} (${folder.file("kto.yaml")}): `))).toHaveLength(1);
    }
    expect(lines).toHaveLength(5);
  });

  it("names a config that is no YAML, no map, or not there", async () => {
    writeFileSync(folder.file("a.yaml"), "beta: [1\nseed: 2");
    writeFileSync(folder.file("b.yaml"), "- beta");
    writeFileSync(folder.file("d.yaml"), "config: a.yaml\nmodel_name_or_path: m\ntrain_file: t\nuse_peft: true");
    expectRefused(await kto(["train", folder.file("a.yaml")]), /not YAML; expected/);
    expectRefused(await kto(["train", folder.file("b.yaml")]), /not a map/);
    expectRefused(await kto(["train", folder.file("c.yaml")]), /no such file/);
    expectRefused(await kto(["train", "--config", folder.file("d.yaml")]), /config \(.*d\.yaml\): there is no such field/);
  });
});

describe("methods", () => {
  const pair = { prompt: "2 + 2 =", chosen: " 4", rejected: " 5" };
  const messages = {
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
    ],
  };

  it.each<[method: string, rows: readonly unknown[], flags: Record<string, string>, says: RegExp]>([
    ["dpo", [pair], { loss_type: "sigmoid ppo" }, /--loss_type: .*one or more of sigmoid, hinge, .*, sft, got \["sigmoid","ppo"\]/],
    [
      "dpo",
      [pair],
      { loss_type: "sigmoid sft", loss_weights: "1" },
      /--loss_weights: of another count than the losses; expected 2, .*got 1/,
    ],
    ["dpo", [pair], { loss_type: "sigmoid sft", ld_alpha: "0.5" }, /--ld_alpha: without meaning for sft/],
    ["dpo", [pair], { packing: "true" }, /--packing: a field of sft, and the method is dpo; .*set method: sft/],
    ["dpo", [row], {}, /row 0: there is no pair of answers; expected chosen and rejected, .*got labelled completions/],
    ["dpo", [pair, { prompt: "a", completion: "b", label: true }], {}, /row 1: .*/],
    ["dpo", [pair, pair, { ...pair, rejected: [{ role: "assistant", content: "5" }] }], {}, /row 2: /],
    ["kto", [messages], {}, /column "label" is missing/],
    ["sft", [pair, messages], {}, /row 1: /],
    ["sft", [pair], { max_length: "none", packing: "true" }, /--max_length: missing where rows are packed/],
    ["sft", [{ text: "Hello" }], { completion_only_loss: "true" }, /completion_only_loss needs to know where the completion begins/],
    ["sft", [messages], { assistant_only_loss: "true" }, /assistant_only_loss: the chat template has no marks/],
    [
      "sft",
      [messages],
      {
        assistant_only_loss: "true",
        chat_template: "{% generation %}{% endgeneration %}{% for m in messages %}{{ m.content }}{% endfor %}",
      },
      /row 0: the marks of the chat template .* cover none of its tokens/,
    ],
    ["sft", [messages], { eos_token: "<end>" }, /eos_token is no token of the tokenizer; .*got "<end>"/],
    ["sft", [messages], { reference: "base" }, /--reference: a field of kto, dpo, and the method is sft/],
    ["sft", [{ image: "a.png" }], {}, /the rows are of no layout that is read/],
  ])("%s: %j %j", async (method, rows, flags, says) => {
    expectRefused(await train({ method, train_file: rowsFile(rows), ...flags }), says);
  });

  it("kto dpo takes no config of another method", async () => {
    writeFileSync(folder.file("kto.yaml"), "method: sft\nuse_peft: true\nmodel_name_or_path: m\ntrain_file: t\n");
    expectRefused(await kto(["dpo", folder.file("kto.yaml")]), /method \(.*kto\.yaml\): the command is kto dpo; expected dpo, got sft/);
  });
});

describe("commands", () => {
  it.each<[string[], RegExp]>([
    [["trian"], /did you mean train\?/],
    [["bench", "kernel"], /bench: "?kernel"? is no case; did you mean kernels\?/],
    [["bench", "--shape", "3b"], /--shape: not usable; expected one of tiny, 1.5b, 7b/],
    [["score", "--model", "m"], /--data: missing/],
    [
      ["train", "--train_file", "t", "--use_peft"],
      /--model_name_or_path: missing; expected a folder with a model, or its name on the hub, got none/,
    ],
    [["score", "--model_name_or_path", "m", "--modle", "n", "--train_file", "f"], /--modle: .*did you mean model\?/],
    [["evaluate", "--model_name_or_path", "m", "--eval_file", "f", "--data", "g"], /--data: it means the same as --eval_file/],
    [["data", "a.jsonl", "--data", "b.jsonl"], /expected one data file or data set, got 2/],
    [["help", "trian"], /did you mean train\?/],
    [["evaluate", "--data", "f"], /--model: missing/],
    [["data"], /expected one data file or data set, got 0/],
    [["doctor", "now"], /expected flags only/],
    [["doctor", "--device", "cuda"], /--device: .*one of auto, gpu, software/],
    [["train", "a.yaml", "b.yaml"], /too many config files; expected at most one, got a\.yaml b\.yaml/],
    [
      ["train", "--config", "b.yaml", "--config", "a.yaml"],
      /--config: it is given twice; expected one file, got "b\.yaml" and "a\.yaml"; remove one/,
    ],
    [["train", "--config", "b.yaml", "a.yaml"], /too many config files; expected at most one, got a\.yaml b\.yaml/],
    [["train", "--config"], /--config: there is no value/],
    [["train", "--config="], /--config: there is no file named/],
    [["train", "--config", "nowhere.yaml"], /nowhere\.yaml: the config cannot be read; expected a YAML file, got no such file/],
    [["train", "--beta"], /--beta: there is no value/],
    [["score", "--model", "nowhere", "--data", fixturePath("kto", "rows.jsonl")], /nowhere does not exist/],
    [["score", "--model", "owner/name", "--data", fixturePath("kto", "rows.jsonl")], /error\[HUB\].*owner\/name/],
  ])("%j", async (argv, says) => expectRefused(await kto(argv), says));
});

describe("data", () => {
  it.each<[string, readonly unknown[], RegExp]>([
    ["a bad line", [row, '{"prompt": "a", "completion"', row], /line 2/],
    ["no label", [row, { prompt: "a", completion: "b" }], /row 1: the column "label" is missing/],
    ["labels as other words", [{ ...row, label: "yes" }, row], /row 0: the label .*got "yes" \(string\)/],
    ["other columns", [{ question: "a", answer: "b" }], /of no layout that is read.*question/],
    ["no rows", [], /empty|no rows/],
  ])("%s", async (_what, rows, says) => expectRefused(await train({ train_file: rowsFile(rows) }), says));

  it("a file that is not there, a folder, a hub id, an unknown kind", async () => {
    expectRefused(await train({ train_file: folder.file("none.jsonl") }), /none\.jsonl does not exist/);
    expectRefused(await train({ train_file: folder.path }), /not a file/);
    expectRefused(await train({ train_file: rowsFile(["x"], "rows.bin") }), /format of .* is unknown/);
    const flags = [
      "--model_name_or_path",
      fixturePath("model"),
      "--use_peft",
      "--dataset_name",
      "trl-lib/kto-mix-14k",
      "--output_dir",
      folder.file("out"),
    ];
    expectRefused(await kto(["train", ...flags]), /error\[HUB\].*trl-lib\/kto-mix-14k/);
  });

  it("rows that are all too long", async () => {
    expectRefused(
      await train({ train_file: rowsFile([{ ...row, prompt: "word ".repeat(50) }]), max_length: "4" }),
      /every row was dropped; expected at least one row to train on, got the prompt fills max_length \(row 0\)/,
    );
  });

  it("text without a tokenizer", async () => {
    const model = modelCopy((file) => rmSync(file("tokenizer.json")));
    expectRefused(await train({ model_name_or_path: model }), /no tokenizer/);
  });
});

describe("models", () => {
  const config = (change: Record<string, unknown>) => (file: (name: string) => string) =>
    writeFileSync(file("config.json"), JSON.stringify({ ...(JSON.parse(readFileSync(file("config.json"), "utf8")) as object), ...change }));
  /** Replaces the header of model.safetensors. */
  const header =
    (text: string, length = Buffer.byteLength(text)) =>
    (file: (name: string) => string) => {
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(length));
      writeFileSync(file("model.safetensors"), Buffer.concat([size, Buffer.from(text), Buffer.alloc(16)]));
    };

  it.each<[string, (file: (name: string) => string) => void, RegExp]>([
    ["another architecture", config({ model_type: "llama" }), /model_type "qwen2", got "llama"/],
    ["positions scaled in another way", config({ rope_scaling: { rope_type: "su", factor: 4 } }), /rope_scaling.*"su"/],
    ["layers of another kind", config({ layer_types: ["full_attention", "chunked_attention"] }), /layer_types.*"chunked_attention"/],
    ["an absurd size", config({ vocab_size: 1e12 }), /vocab_size is not usable/],
    ["no config", (file) => rmSync(file("config.json")), /no config\.json/],
    ["a config that is no JSON", (file) => writeFileSync(file("config.json"), "{"), /expected JSON/],
    ["no weights", (file) => rmSync(file("model.safetensors")), /model\.safetensors/],
    ["truncated weights", (file) => truncateSync(file("model.safetensors"), 100_000), /model\.safetensors/],
    ["a header longer than the file", header("{}", 1 << 20), /header/],
    ["an absurd header", header("{}", 2 ** 40), /header/],
    ["a header that is no JSON", header("{nonsense"), /model\.safetensors/],
    [
      "overlapping tensors",
      header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'),
      /a|b/,
    ],
    ["a wrong dtype", header('{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}'), /F99/],
    ["a broken tokenizer", (file) => writeFileSync(file("tokenizer.json"), "{"), /tokenizer\.json/],
  ])("%s", async (_what, change, says) => expectRefused(await train({ model_name_or_path: modelCopy(change) }), says));

  it("pickle weights, and GGUF", async () => {
    const model = modelCopy((file) => renameSync(file("model.safetensors"), file("pytorch_model.bin")));
    expectRefused(await train({ model_name_or_path: model }), /only pickle weights \(pytorch_model\.bin\); expected \*\.safetensors/);
    renameSync(folder.file("model", "pytorch_model.bin"), folder.file("model", "tiny.Q4_K_M.gguf"));
    expectRefused(await train({ model_name_or_path: model }), /holds a GGUF file \(tiny\.Q4_K_M\.gguf\)/);
    expectRefused(await train({ model_name_or_path: folder.file("model", "tiny.Q4_K_M.gguf") }), /tiny\.Q4_K_M\.gguf is a GGUF file/);
    expectRefused(await train({ model_name_or_path: "owner/tiny.gguf" }), /owner\/tiny\.gguf does not exist.*GGUF is for inference/);
    expectRefused(await train({ model_name_or_path: folder.file("model", "config.json") }), /config\.json is no folder/);
  });

  it("a missing shard", async () => {
    cpSync(fixturePath("model-sharded"), folder.file("sharded"), { recursive: true });
    rmSync(folder.file("sharded", "model-00003-of-00004.safetensors"));
    expectRefused(await train({ model_name_or_path: folder.file("sharded") }), /model-00003-of-00004\.safetensors/);
  });

  it("an adapter that is not there, or of another kind", async () => {
    expectRefused(
      await train({ adapter_name_or_path: folder.file("none") }),
      /adapter: .*none does not exist; expected the folder of an adapter/,
    );
    mkdirSync(folder.file("adapter"));
    writeFileSync(folder.file("adapter", "adapter_config.json"), JSON.stringify({ peft_type: "LORA", use_dora: true }));
    expectRefused(await train({ adapter_name_or_path: folder.file("adapter") }), /use_dora/);
  });
});

describe("output folders", () => {
  /** Refused without touching what is there. */
  async function expectKept(says: RegExp): Promise<void> {
    const before = readdirSync(folder.file("out"));
    const outcome = await train({});
    expect(errorLinesOf(outcome)).toHaveLength(1);
    expect(outcome.stderr).toMatch(says);
    expect(outcome.status).toBe(2);
    expect(readdirSync(folder.file("out"))).toEqual(before);
  }

  it("a finished run", async () => {
    mkdirSync(folder.file("out"));
    writeFileSync(folder.file("out", "train_results.json"), "{}");
    await expectKept(/holds a finished run.*--overwrite_output_dir/);
  });

  it("an unfinished run with checkpoints", async () => {
    mkdirSync(folder.file("out", "checkpoint-3"), { recursive: true });
    await expectKept(/unfinished run with checkpoint-3.*--resume_from_checkpoint/);
  });

  it("in use by a living process", async () => {
    mkdirSync(folder.file("out"));
    writeFileSync(folder.file("out", ".kto.lock"), JSON.stringify({ pid: process.pid, started: null }));
    await expectKept(/in use by process/);
  });

  it("a file in its place, or on its way", async () => {
    writeFileSync(folder.file("file"), "");
    expectRefused(await train({ output_dir: folder.file("file") }), /is a file/);
    expectRefused(await train({ output_dir: folder.file("file", "run") }), /ENOTDIR/);
  });
});

describe("devices", () => {
  it("no adapter: says what doctor would say", async () => {
    if (existsSync("/dev/nvidiactl") || existsSync("/dev/dri") || process.platform !== "linux") return;
    expectRefused(await train({}), /error\[CAPABILITY\].*no hardware adapter: there is no GPU device in \/dev.*apt-get install libvulkan1/);
    const doctor = await kto(["doctor", "--device", "gpu", "--json"]);
    expect(doctor.status).toBe(1);
    expect(JSON.parse(doctor.stdout)).toMatchObject({
      adapter: null,
      selfTest: null,
      problems: [
        { message: "no hardware adapter: there is no GPU device in /dev", command: "apt-get install libvulkan1 mesa-vulkan-drivers" },
      ],
    });
  });

  it("an interrupt before anything ran is 130 and writes nothing", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    const flags = [
      "--model_name_or_path",
      fixturePath("model"),
      "--use_peft",
      "--train_file",
      fixturePath("kto", "rows.jsonl"),
      "--output_dir",
      folder.file("out"),
    ];
    expect((await kto(["train", ...flags], { signal })).status).toBe(130);
    expect(existsSync(folder.file("out"))).toBe(false);
  });
});
