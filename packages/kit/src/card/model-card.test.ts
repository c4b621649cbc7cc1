import { bytesSource, type ByteDirectory } from "@kto/core";
import { isUntouchedCard } from "@kto/lora";
import { ktoDefaults } from "@kto/trainer";
import { load } from "js-yaml";
import { expect, it } from "vitest";
import { lossCurve } from "./loss-curve.js";
import { CURVE_FILE, modelCard, type CardFiles } from "./model-card.js";
import { readRunFacts } from "./run-facts.js";

const directoryOf = (files: Record<string, string>): ByteDirectory => ({
  name: "run",
  open: async (name) => (files[name] === undefined ? undefined : bytesSource(new TextEncoder().encode(files[name]))),
});

async function cardOf(files: Record<string, unknown>, options: { license?: string; baseModel?: string } = {}): Promise<CardFiles> {
  const texts = Object.fromEntries(Object.entries(files).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])); // prettier-ignore
  return modelCard(await readRunFacts(directoryOf(texts), Object.keys(texts)), { repo: "me/run", ...options });
}

function headerOf(card: CardFiles): unknown {
  const parts = card["README.md"]!.split(/^---$/m);
  return load(parts[1]!);
}

const adapter = { base_model_name_or_path: "org/base", peft_type: "LORA", r: 16, lora_alpha: 32, lora_dropout: 0, target_modules: ["v_proj", "q_proj"] }; // prettier-ignore
const state = {
  kto: { arguments: { ...ktoDefaults, learningRate: 1e-3, beta: 0.3, saveSteps: 7 } },
  log_history: [
    { step: 1, epoch: 0.5, loss: 0.5, learning_rate: 1e-3, "rewards/margins": 0 },
    { step: 2, epoch: 1, loss: 0.31234567, learning_rate: 5e-4, "rewards/margins": 1.25, kl: 0.125 },
    { step: 2, epoch: 1, eval_loss: 0.4, eval_runtime: 3, "eval_rewards/margins": 0.75 },
    { step: 2, epoch: 1, train_loss: 0.4, train_runtime: 9 },
  ],
};
const run = {
  "adapter_config.json": adapter,
  "trainer_state.json": state,
  "train_results.json": { train_loss: 0.40617, train_runtime: 9, epoch: 1, global_step: 2, peak_gpu_memory_bytes: 5 },
  "resolved_config.yaml": "method: kto\nmodel_name_or_path: org/base\ndataset_name: org/rows\nload_in_4bit: true\n",
};

it("tells the hub what it is, and a reader how it was made and how it is used", async () => {
  const card = await cardOf(run, { license: "apache-2.0" });
  expect(headerOf(card)).toEqual({
    base_model: "org/base",
    base_model_relation: "adapter",
    datasets: ["org/rows"],
    library_name: "peft",
    license: "apache-2.0",
    pipeline_tag: "text-generation",
    tags: ["base_model:adapter:org/base", "kto", "lora", "transformers"],
  });
  const text = card["README.md"]!;
  expect(text).toContain("A LoRA adapter for [org/base](https://huggingface.co/org/base), trained with [KTO](https://arxiv.org/abs/2402.01306) on [org/rows](https://huggingface.co/datasets/org/rows)."); // prettier-ignore
  expect(text).toContain(`![Training loss, from 0.5 at update 1 to 0.3123 at update 2](${CURVE_FILE})`);
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  expect(new Set(rows)).toEqual(
    new Set([
      "| `updates` | 2 |",
      "| `epoch` | 1 |",
      "| `train_loss` | 0.4062 |",
      "| `loss (last logged)` | 0.3123 |",
      "| `rewards/margins` | 1.25 |",
      "| `kl` | 0.125 |",
      "| `eval_loss` | 0.4 |",
      "| `eval_rewards/margins` | 0.75 |",
      "| `r` | `16` |",
      "| `lora_alpha` | `32` |",
      "| `target_modules` | `q_proj, v_proj` |",
      "| `load_in_4bit` | `true` |",
      "| `beta` | `0.3` |",
      "| `learning_rate` | `0.001` |",
    ]),
  );
  expect(rows).toHaveLength(14);
  for (const use of [
    "npx kto chat --model org/base --adapter me/run",
    'PeftModel.from_pretrained(model, "me/run")',
    "ollama create run -f Modelfile",
  ])
    expect(text).toContain(use);
  expect(isUntouchedCard(text)).toBe(true);
  expect(await cardOf(run, { license: "apache-2.0" })).toEqual(card); // no time, no path: equal runs, equal cards
});

it("the curve is an image that can be read aloud", async () => {
  const curve = (await cardOf(run))[CURVE_FILE]!;
  expect(curve).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="[\d ]+" role="img" aria-labelledby="title desc"/);
  expect(curve).toContain('<desc id="desc">The training loss goes from 0.5 at update 1 to 0.3123 at update 2; the loss of the evaluations ends at 0.4.</desc>'); // prettier-ignore
  expect(curve).not.toMatch(/NaN|Infinity/);
  const long = Array.from({ length: 50_000 }, (_, step) => ({ step, loss: Math.exp(-step / 1e4) }));
  expect(lossCurve(long)!.length).toBeLessThan(12_000);
  expect(lossCurve([{ step: 1, loss: 0.5 }])).toBeUndefined();
  expect(lossCurve([{ step: 1, loss: 0.5 }, { step: 2, loss: 0.5 }])).not.toMatch(/NaN|Infinity/); // prettier-ignore
});

it("values are shown as they are, and do nothing", async () => {
  const evil = 'x": y\n---\nlicense: mit\n<script>alert(1)</script> | `code` ](javascript:1)';
  const card = await cardOf({
    ...run,
    "adapter_config.json": { ...adapter, base_model_name_or_path: `/home/me/${evil}`, target_modules: evil },
    "resolved_config.yaml": `method: ${JSON.stringify(evil)}\nmodel_name_or_path: ${JSON.stringify(evil)}\ntrain_file: ${JSON.stringify(`/data/${evil}`)}\n`,
    "trainer_state.json": { log_history: [{ step: 1, [evil]: 1 }], kto: { arguments: { lossType: evil } } },
  });
  const text = card["README.md"]!;
  expect(headerOf(card)).toEqual({ library_name: "peft", pipeline_tag: "text-generation", tags: ["kto", "lora", "transformers"] });
  expect(text.match(/^---$/gm)).toHaveLength(2);
  const outside = text.replace(/(`+)[^\n]*?\1/g, "");
  expect(outside.split(/^---$/m)[2]).not.toMatch(/<script|[^\\]\]\(javascript/);
  expect(text.split("\n").filter((line) => line.startsWith("| ")).every((line) => line.replaceAll("\\|", "").split("|").length === 4)).toBe(true); // prettier-ignore
});

it("of a path only the last part is told", async () => {
  const text = (
    await cardOf({
      "adapter_config.json": { ...adapter, base_model_name_or_path: "/home/somebody/models/base-7b" },
      "resolved_config.yaml":
        "model_name_or_path: /home/somebody/models/base-7b\ntrain_file: C:\\Users\\somebody\\rows.jsonl\nmethod: kto\n",
    })
  )["README.md"]!;
  expect(text).toContain("for `base-7b`, trained with");
  expect(text).toContain("on `rows.jsonl`");
  expect(text).not.toContain("somebody");
});

it("a model, GGUF files, and anything else", async () => {
  const model = await cardOf({ "config.json": { model_type: "qwen2" } }, { baseModel: "org/base" });
  expect(headerOf(model)).toEqual({ base_model: "org/base", base_model_relation: "finetune", library_name: "transformers", pipeline_tag: "text-generation", tags: [] }); // prettier-ignore
  const gguf = await cardOf({ "run-Q4_K_M.gguf": "", "run-Q8_0.gguf": "" }, { baseModel: "org/base" });
  expect(headerOf(gguf)).toMatchObject({ base_model_relation: "quantized", tags: ["gguf"] });
  expect(gguf["README.md"]).toContain("ollama run hf.co/me/run:Q4_K_M");
  expect(headerOf(await cardOf({ "notes.txt": "" }))).toEqual({ tags: [] });
});

it("files that cannot be read are passed over", async () => {
  const card = await cardOf({ ...run, "trainer_state.json": "{", "resolved_config.yaml": "a: [", "train_results.json": "[]" });
  expect(Object.keys(card)).toEqual(["README.md"]);
  expect(card["README.md"]).toContain("A LoRA adapter for [org/base]");
});

it.each([
  ["dpo", "[DPO](https://arxiv.org/abs/2305.18290)", { lossType: ["ipo"] }, "| `loss_type` | `ipo` |"],
  ["orpo", "[ORPO](https://arxiv.org/abs/2403.07691)", { beta: 0.3 }, "| `beta` | `0.3` |"],
  ["cpo", "[CPO](https://arxiv.org/abs/2401.08417)", { lossType: "simpo", cpoAlpha: 0 }, "| `cpo_alpha` | `0` |"],
])("names the method %s of a run without its command, and its fields that are no defaults", async (method, name, args, row) => {
  const card = await cardOf({
    "adapter_config.json": adapter,
    "trainer_state.json": { kto: { method, arguments: args }, log_history: [] },
  });
  const text = card["README.md"]!;
  expect(text).toContain(`trained with ${name}`);
  expect(text).toContain(row);
  expect(text.split("\n").filter((line) => line.startsWith("| `"))).not.toContain("| `loss_type` | `sigmoid` |");
});
