import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder } from "./testing/run-kto.js";

const folder = temporaryFolder();
const model = fixturePath("model");
const trained = fixturePath("adapters", "r8-a16-trained");
const base = ["evaluate", "--model", model, "--dtype", "float32", "--quiet"];
const numPairs = 6;

beforeAll(() => {
  const lines = readFileSync(fixturePath("dpo", "rows.jsonl"), "utf8").trimEnd().split("\n");
  writeFileSync(folder.file("pairs.jsonl"), lines.slice(0, numPairs).join("\n"));
});
beforeAll(() => {
  const rows = Array.from({ length: 6 }, (_, row) => ({
    prompt: `What is ${row}?`,
    completion: `It is ${row * row}.`,
    label: row % 2 === 0,
  }));
  writeFileSync(folder.file("kto.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
});
afterAll(() => folder[Symbol.dispose]());

/** What `--json` gives. */
async function metricsOf(
  ...argv: string[]
): Promise<Record<string, number> & { against: Record<string, number>; comparison: Record<string, unknown> }> {
  const { status, stdout, stderr } = await kto([...argv, "--json"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Awaited<ReturnType<typeof metricsOf>>;
}

describe("kto evaluate on pairs", () => {
  const pairs = ["--data", folder.file("pairs.jsonl")];

  it("is DPO's evaluation, with accuracy and margins in intervals that repeat with the seed", async () => {
    const metrics = await metricsOf(...base, ...pairs, "--adapter", trained);
    expect(metrics["eval_loss"]).toBeGreaterThan(0);
    expect(metrics["eval_loss"]).not.toBeCloseTo(Math.LN2, 3);
    expect(metrics["eval_preference/pairs"]).toBe(numPairs);
    // One batch: means over batches are means over pairs.
    expect(metrics["eval_preference/accuracy"]).toBeCloseTo(metrics["eval_rewards/accuracies"]!, 12);
    expect(metrics["eval_preference/margin"]).toBeCloseTo(metrics["eval_rewards/margins"]!, 5);
    expect(metrics["eval_preference/logps_margin"]).toBeCloseTo(metrics["eval_logps/chosen"]! - metrics["eval_logps/rejected"]!, 3);
    for (const name of ["accuracy", "margin", "logps_accuracy", "logps_margin"]) {
      const [value, low, high] = ["", "_low", "_high"].map((end) => metrics[`eval_preference/${name}${end}`]!);
      expect(low).toBeLessThanOrEqual(value!);
      expect(high).toBeGreaterThanOrEqual(value!);
    }
    const other = await metricsOf(
      ...base,
      ...pairs,
      "--adapter",
      trained,
      "--seed",
      "1",
      "--bootstrap_resamples",
      "200",
      "--method",
      "dpo",
    );
    expect(other["eval_preference/margin"]).toBe(metrics["eval_preference/margin"]);
    expect(other["eval_preference/margin_low"]).not.toBe(metrics["eval_preference/margin_low"]);
  });

  it("against another adapter: the same rows, on the same base; and a line a row in a file", async () => {
    const fresh = fixturePath("adapters", "r4-a8-rslora");
    const rowsFile = folder.file("rows.jsonl");
    const both = await metricsOf(...base, ...pairs, "--adapter", trained, "--against", fresh, "--rows_file", rowsFile);
    const alone = await metricsOf(...base, ...pairs, "--adapter", fresh);
    for (const name of ["eval_loss", "eval_rewards/margins", "eval_preference/logps_margin_low"])
      expect(both.against[name]).toBe(alone[name]);
    const { comparison } = both;
    expect(comparison).toMatchObject({ kind: "pairs", rows: numPairs });
    const counts = [comparison["wins"], comparison["losses"], comparison["ties"]] as number[];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(numPairs);
    const rows = readFileSync(rowsFile, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { row: number; difference: number; answers: object[] });
    expect(rows.map(({ row }) => row)).toEqual(Array.from({ length: numPairs }, (_, row) => row));
    expect(rows.filter(({ difference }) => difference > 0)).toHaveLength(counts[0]!);
    expect(rows[0]!.answers).toMatchObject([{ label: true }, { label: false }]);
    const mean = rows.reduce((sum, { difference }) => sum + difference, 0) / numPairs;
    expect(comparison["difference"]).toBeCloseTo(mean, 10);
  });

  it("of an adapter against its own base goes by log-probabilities, and a terminal of 80 columns holds it", async () => {
    const { status, stdout } = await kto([...base, ...pairs, "--against", trained]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^eval_loss +0\.693147 +0\.\d+$/m);
    expect(stdout).toContain(`compared            ${numPairs} pairs by logps, margins`);
    expect(stdout).toMatch(/McNemar's exact test p /);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const { stdout: single, stderr } = await kto(base.slice(0, -1).concat(pairs));
    expect(single).toMatch(/^eval_preference\/logps_margin +-?[\d.]+ \[-?[\d.]+, -?[\d.]+\]$/m);
    expect(single).not.toContain("eval_preference/accuracy");
    for (const line of single.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(stderr.replace(/\s+/g, " ")).toContain("the model is its own reference: its rewards are 0");
  });

  it("a merged folder against the model it was made from has the rewards of its adapter", async () => {
    const merged = folder.file("merged");
    expect((await kto(["merge", "--model", model, "--adapter", trained, "--out", merged, "--dtype", "float32", "--quiet"])).status).toBe(0);
    const adapter = await metricsOf(...base, ...pairs, "--adapter", trained);
    const whole = await metricsOf("evaluate", "--model", merged, "--dtype", "float32", "--quiet", ...pairs, "--reference_model", model);
    for (const name of ["eval_loss", "eval_rewards/chosen", "eval_rewards/margins", "eval_preference/margin_high"])
      expect(whole[name]).toBeCloseTo(adapter[name]!, 4);
    const compared = await metricsOf(...base, ...pairs, "--adapter", trained, "--against", merged, "--reference_model", model);
    expect(compared.against["eval_rewards/margins"]).toBeCloseTo(adapter["eval_rewards/margins"]!, 4);
    expect(compared.comparison).toMatchObject({ by: "rewards", only_first_right: 0, only_against_right: 0, mcnemar_p: 1 });
    expect(compared.comparison["difference"]).toBeCloseTo(0, 4);
  });

  it("is KTO's where that is named: pairs are taken apart, and compared as pairs", async () => {
    const metrics = await metricsOf(...base, ...pairs, "--adapter", trained, "--method", "kto");
    expect(metrics["eval_kl"]).toBeGreaterThanOrEqual(0);
    expect(metrics["eval_preference/pairs"]).toBe(numPairs);
    const dpo = await metricsOf(...base, ...pairs, "--adapter", trained);
    expect(metrics["eval_preference/margin"]).toBeCloseTo(dpo["eval_preference/margin"]!, 4);
  });
});

it("labelled answers are KTO's, and tell how well the classes are told apart", async () => {
  const metrics = await metricsOf(
    ...base,
    "--data",
    folder.file("kto.jsonl"),
    "--adapter",
    trained,
    "--against",
    fixturePath("adapters", "r4-a8-rslora"),
  );
  expect(metrics["eval_kl"]).toBeGreaterThanOrEqual(0);
  expect(metrics["eval_preference/auc"]).toBeGreaterThanOrEqual(0);
  expect(metrics["eval_preference/auc_high"]).toBeLessThanOrEqual(1);
  expect(metrics["eval_preference/pairs"]).toBeUndefined();
  expect(metrics.comparison).toMatchObject({ kind: "labelled" });
  expect(metrics.comparison["mcnemar_p"]).toBeUndefined();
});

/** A run whose loss falls; by a greater loss being better, its first evaluation stays the best. */
const run = (output: string, ...flags: string[]): string[] =>
  [
    ["train", "--model", model, "--data", folder.file("kto.jsonl"), "--eval_file", folder.file("kto.jsonl")],
    ["--output_dir", folder.file(output), "--use_peft", "--lora_target_modules", "all-linear", "--dtype", "float32"],
    ["--per_device_train_batch_size", "2", "--max_steps", "5", "--learning_rate", "1e-3"],
    ["--eval_strategy", "steps", "--eval_steps", "1", "--greater_is_better", "true", ...flags],
  ].flat();
const bytesOf = (...path: string[]): Buffer => readFileSync(folder.file(...path));
const best = ["--load_best_model_at_end", "--save_strategy", "best", "--early_stopping_patience", "2"];

describe("kto train that goes by its evaluations", () => {
  it("stops early, saves the bytes of the best checkpoint and says which it is, resumed too", async () => {
    const { status, stdout, stderr } = await kto(run("best", ...best, "--json"));
    expect(stderr).not.toContain("error[");
    expect({ status, results: JSON.parse(stdout) as unknown }).toMatchObject({ status: 0, results: { global_step: 3 } });
    expect(readdirSync(folder.file("best")).filter((name) => name.startsWith("checkpoint-"))).toEqual(["checkpoint-1"]);
    expect(bytesOf("best", "adapter_model.safetensors").equals(bytesOf("best", "checkpoint-1", "adapter_model.safetensors"))).toBe(true);
    expect(stderr).toContain("stopped early after update 3: 2 evaluations without progress");
    expect(stderr.replace(/\s+/g, " ")).toMatch(/best eval_loss [\d.]+ after update 1; what is saved is that of \S*checkpoint-1 /);
    const state = JSON.parse(bytesOf("best", "trainer_state.json").toString()) as Record<string, unknown>;
    expect(state).toMatchObject({ best_global_step: 1, best_model_checkpoint: folder.file("best", "checkpoint-1"), global_step: 3 });
    const adapter = bytesOf("best", "adapter_model.safetensors");
    expect((await kto(run("best", ...best, "--resume_from_checkpoint", "true", "--quiet"))).status).toBe(0);
    expect(bytesOf("best", "adapter_model.safetensors").equals(adapter)).toBe(true);
    for (const line of stderr.split("\n").filter((text) => !/^note: |kto-cli/.test(text))) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("says what is saved where the best evaluation has no checkpoint", async () => {
    const { status, stderr } = await kto(run("none", "--load_best_model_at_end", "--save_steps", "2", "--max_steps", "2"));
    expect(status).toBe(0);
    expect(stderr.replace(/\s+/g, " ")).toContain(
      "warning: load_best_model_at_end: no checkpoint was due after update 1, the best one; the last weights are saved. save_strategy: best writes",
    );
    expect(bytesOf("none", "adapter_model.safetensors").equals(bytesOf("none", "checkpoint-2", "adapter_model.safetensors"))).toBe(true);
  });

  it.each<[string, string[], RegExp]>([
    [
      "a metric that is never logged",
      [...best, "--metric_for_best_model", "accuracy"],
      /metric_for_best_model to be one of eval_loss, .*eval_kl.*got "accuracy"/,
    ],
    [
      "strategies that differ",
      ["--load_best_model_at_end", "--save_strategy", "epoch"],
      /save_strategy to be the same as eval_strategy, or best, got epoch and steps/,
    ],
    [
      "steps that do not meet",
      ["--load_best_model_at_end", "--eval_steps", "3", "--save_steps", "5"],
      /save_steps to be a multiple of eval_steps, 3, got 5/,
    ],
    [
      "nothing to stop by",
      ["--eval_strategy", "no", "--early_stopping_patience", "2"],
      /early stopping goes by an evaluation, and there is none/,
    ],
  ])("%s is one line, and nothing is written", async (_what, flags, says) => {
    const outcome = await kto(run("refused", ...flags));
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(readdirSync(folder.path)).not.toContain("refused");
  });
});

describe("what cannot be is one line, before a device is opened", () => {
  it.each<[string, string[], RegExp]>([
    ["no such method", ["--method", "ppo"], /--method: not usable; expected one of kto, dpo, /],
    [
      "a field of another method",
      ["--method", "kto", "--label_smoothing", "0.1"],
      /--label_smoothing: a field of dpo.*, and this is the evaluation of kto/,
    ],
    [
      "a field of another method than the data's",
      ["--desirable_weight", "2"],
      /--desirable_weight: a field of kto, and this is the evaluation of dpo/,
    ],
    ["a misspelt field", ["--bootstrap_resample", "5"], /--bootstrap_resample: there is no such field; did you mean bootstrap_resamples\?/],
    ["no resamples", ["--bootstrap_resamples", "0"], /--bootstrap_resamples: not usable; expected an integer of at least 1, got 0/],
    ["a reference for a method without one", ["--method", "cpo", "--reference_model", "m"], /--reference_model: cpo has no reference/],
    ["the model itself for a reference", ["--reference_model", fixturePath("model")], /--reference_model: it is the model itself/],
    ["two references", ["--adapter", trained, "--reference_model", "m", "--reference", "initial"], /expected one of the two, got both/],
    ["nothing to compare with", ["--against", "nowhere/at/all"], /nowhere\/at\/all does not exist/],
    ["an unknown loss", ["--loss_type", "sigmod"], /--loss_type: not usable; expected one or more of sigmoid, hinge, /],
    ["options that do not go together", ["--loss_type", "ipo", "--label_smoothing", "0.1"], /abel.?[sS]moothing/],
  ])("%s", async (_what, argv, says) => {
    const outcome = await kto([...base, "--data", folder.file("pairs.jsonl"), ...argv]);
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
  });
});
