import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
  const rows = [
    { prompt: [{ role: "user", content: "Name a colour." }], completion: [{ role: "assistant", content: "Green." }], label: true },
    { prompt: "2 + 3 =", completion: " 5", label: true },
  ];
  writeFileSync(folder.file("rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(folder.file("pairs.jsonl"), `${JSON.stringify(rows[1])}\n`.repeat(4));
});
afterAll(() => folder[Symbol.dispose]());

const { rope_theta: _theta, ...modelJson } = JSON.parse(readFileSync(fixturePath("model/config.json"), "utf8")) as Record<string, unknown>;

/** The fixture's model with other fields in its config.json. */
function modelWith(fields: object): string {
  const path = folder.file("model");
  rmSync(path, { recursive: true, force: true });
  cpSync(fixturePath("model"), path, { recursive: true });
  writeFileSync(folder.file("model", "config.json"), JSON.stringify({ ...modelJson, ...fields }));
  return path;
}

const score = (model: string): Promise<Outcome> =>
  kto(["score", "--model", model, "--data", folder.file("rows.jsonl"), "--dtype", "float32"]);

function train(model: string, ...more: string[]): Promise<Outcome> {
  rmSync(folder.file("out"), { recursive: true, force: true });
  const data = ["--train_file", folder.file("pairs.jsonl"), "--output_dir", folder.file("out")];
  const run = ["--use_peft", "--lora_r", "2", "--per_device_train_batch_size", "2", "--max_steps", "1", "--dtype", "float32"];
  return kto(["train", "--model_name_or_path", model, ...data, ...run, ...more]);
}

const [short, long] = [Array<number>(8).fill(1), [1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5]];

/** What transformers 5.24 gives the two rows, in one batch, of 14 and 9 tokens. */
describe.each<[string, object, [number, number]]>([
  ["a tied model with its own head", { tie_word_embeddings: true }, [-45.7584, -22.3294]],
  ["a window that is not used", { use_sliding_window: false, sliding_window: 4, max_window_layers: 0 }, [-45.7584, -22.3294]],
  [
    "a window of layers that there are not",
    { use_sliding_window: true, sliding_window: 4, max_window_layers: 2, layer_types: null },
    [-45.7584, -22.3294],
  ],
  ["a rope_scaling of nothing", { rope_scaling: {} }, [-45.7584, -22.3294]],
  [
    "linear positions, old spelling",
    { rope_parameters: null, rope_theta: 10_000, rope_scaling: { type: "linear", factor: 2 } },
    [-44.0581, -23.7103],
  ],
  [
    "dynamic positions past the original length",
    { rope_parameters: null, rope_scaling: { type: "dynamic", factor: 2 }, max_position_embeddings: 8 },
    [-45.7837, -22.4705],
  ],
  [
    "longrope past the original length",
    {
      rope_parameters: {
        rope_type: "longrope",
        rope_theta: 10_000,
        factor: 4,
        short_factor: short,
        long_factor: long,
        original_max_position_embeddings: 8,
      },
    },
    [-46.2579, -23.3016],
  ],
  [
    "llama3's positions",
    {
      rope_parameters: {
        rope_type: "llama3",
        rope_theta: 10_000,
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    },
    [-45.6814, -22.6846],
  ],
])("%s", (_what, fields, right) => {
  it("is scored as transformers has it, and trained", async () => {
    const model = modelWith(fields);
    const scored = await score(model);
    expect({ status: scored.status, errors: errorLinesOf(scored) }).toEqual({ status: 0, errors: [] });
    const logps = scored.stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { logps: number }).logps);
    for (const [index, value] of logps.entries()) expect(value).toBeCloseTo(right[index]!, 3);
    expect((await train(model)).status).toBe(0);
    expect((await kto(["data", folder.file("rows.jsonl"), "--model", model])).status).toBe(0);
  });
});

it.each<[string, object, RegExp]>([
  [
    "positions that nobody knows",
    { rope_scaling: { type: "su", short_factor: short, long_factor: long } },
    /rope_scaling has a rope_type that transformers' Qwen2 has not.*"su"/,
  ],
  ["a scaling without its factor", { rope_scaling: { type: "yarn" } }, /rope_scaling\.factor is not usable for rope_type "yarn"/],
  [
    "parts of a head",
    { rope_parameters: { rope_type: "linear", rope_theta: 1e4, factor: 2 }, partial_rotary_factor: 0.5 },
    /turns 8 of the 16 numbers of a head/,
  ],
  ["parameters by kind of layer", { rope_parameters: { full_attention: { rope_type: "default" } } }, /parameters for each type of layer/],
  ["a word for a boolean", { tie_word_embeddings: "yes" }, /tie_word_embeddings is not usable/],
  ["no head", { tie_word_embeddings: false, vocab_size: 511 }, /contradicts config\.json/],
])("%s: refused by score and train alike", async (_what, fields, says) => {
  const model = modelWith(fields);
  for (const outcome of [await score(model), await train(model)]) {
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(says)]);
    expect(outcome.status).toBe(2);
  }
  expect(existsSync(folder.file("out"))).toBe(false);
});

describe("LoRA targets", () => {
  it.each([
    ["q_proj, k_proj", ["k_proj", "q_proj"]],
    ["q_proj,k_proj", ["k_proj", "q_proj"]],
    ["['q_proj', 'v_proj']", ["q_proj", "v_proj"]],
    ["[q_proj, v_proj]", ["q_proj", "v_proj"]],
    ['["up_proj"]', ["up_proj"]],
    [String.raw`.*layers\.\d{1,2}\.mlp\.(up|down)_proj`, String.raw`.*layers\.\d{1,2}\.mlp\.(up|down)_proj`],
  ])("%s are adapted, and written as such", async (targets, written) => {
    const outcome = await train(fixturePath("model"), "--lora_target_modules", targets);
    expect({ status: outcome.status, errors: errorLinesOf(outcome) }).toEqual({ status: 0, errors: [] });
    const config = JSON.parse(readFileSync(folder.file("out", "adapter_config.json"), "utf8")) as { target_modules: unknown };
    expect(config.target_modules).toEqual(written);
  });

  it.each([
    ["one that is not there beside others", ["q_proj", "w_pack"], /LORA_TARGET.*target_modules "w_pack"; expected targets among down_proj/],
    ["two of them", ["q_proj,k_porj,wo"], /2 entries match nothing.*"k_porj" \(did you mean k_proj\?\), "wo"/],
    ["the head", ["q_proj", "lm_head"], /"lm_head" matches .*and is no linear layer that can carry an adapter/],
    ["the embedding", ["q_proj embed_tokens"], /"model\.embed_tokens" matches/],
    ["a norm", ["q_proj", "input_layernorm"], /input_layernorm.*match .*and are no linear layers/],
    ["an expression over more than layers", [".*(q_proj|embed_tokens)"], /"model\.embed_tokens" matches/],
    ["an expression that would not end", ["(.*)*!"], /LORA_TARGET.*match no module/],
  ])("%s: refused before anything is written", async (_what, targets, says) => {
    const outcome = await train(fixturePath("model"), "--lora_target_modules", ...targets);
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(says)]);
    expect(outcome.status).toBe(2);
    expect(existsSync(folder.file("out"))).toBe(false);
  });
});
