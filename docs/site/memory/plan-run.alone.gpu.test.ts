import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requestDevice, type Capabilities } from "@kto/tensor";
import { openBrowser } from "@kto/testing/browser";
import { fixturePath, readFixtureJson } from "@kto/testing/workspace";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kto, temporaryFolder } from "../../../packages/cli/src/testing/run-kto.js";
import { root } from "../repository.js";
import type { ModelJson } from "./model-shapes.js";
import type { PlannedMemory, RunToPlan } from "./plan-run.js";

// What the page plans, in Chromium without WebGPU, is what the command plans before it trains on a device. In a process of its own: a device that was lent on
// from other files has free buffers of theirs, which a plan counts.

let capabilities: Capabilities;
let planInBrowser: (run: RunToPlan) => Promise<number>;
const browser = openBrowser();
beforeAll(async () => {
  const device = await requestDevice();
  ({ capabilities } = device);
  device.dispose();
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: 'import { planRun } from "./docs/site/memory/plan-run.js"; globalThis.planRun = planRun;', resolveDir: root },
    bundle: true,
    write: false,
    platform: "browser",
    target: "es2022",
    format: "esm",
    conditions: ["@kto/source"],
    logLevel: "silent",
  });
  const page = await (await browser).newPage();
  await page.addScriptTag({ content: outputFiles[0]!.text, type: "module" });
  await page.waitForFunction("globalThis.planRun");
  expect(await page.evaluate("[navigator.gpu === undefined, typeof GPUBufferUsage]")).toEqual([true, "undefined"]);
  planInBrowser = (run) =>
    page.evaluate(async (asked) => {
      const { planRun } = globalThis as unknown as { planRun(run: RunToPlan): Promise<PlannedMemory> };
      return (await planRun(asked)).plan.peakBytes;
    }, run);
});
afterAll(async () => (await browser).close());

/** Plan of `kto train` for rows of so many tokens, as it writes it down after the run. */
async function planOfCommand({ method, batchSize, tokens }: RunToPlan, flags: readonly string[]): Promise<number> {
  using folder = temporaryFolder();
  const [prompt_ids, answer] = [1, 2].map((id) => Array.from({ length: tokens / 2 }, () => id));
  const rows = Array.from({ length: batchSize }, (_, row) =>
    method === "dpo"
      ? { prompt_ids, chosen_ids: answer, rejected_ids: answer }
      : { prompt_ids, completion_ids: answer, ...(method === "kto" && { label: row % 2 === 0 }) },
  );
  writeFileSync(folder.file("rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const places = ["--model", fixturePath("model"), "--data", folder.file("rows.jsonl"), "--output_dir", folder.file("out")];
  const sizes = ["--per_device_train_batch_size", batchSize, "--gradient_accumulation_steps", 1, "--max_length", tokens, "--max_steps", 1];
  const trained = await kto(["train", "--method", method, ...places, ...sizes.map(String), ...flags]);
  expect(trained.status, trained.stderr).toBe(0);
  const results = JSON.parse(readFileSync(join(folder.path, "out/train_results.json"), "utf8")) as Record<string, number>;
  return results["planned_gpu_memory_bytes"]!;
}

const lora = ["--use_peft", "--lora_r", "4", "--lora_target_modules", "all-linear"];
const base = { loraRank: 4, loraTargets: "all-linear", gradientCheckpointing: true, budgetBytes: undefined } as const;
it.each<[string, Omit<RunToPlan, "config" | "capabilities">, string[]]>([
  [
    "KTO, an adapter",
    { ...base, method: "kto", weights: "16-bit", batchSize: 8, tokens: 64, optim: "adamw_torch" },
    [...lora, "--gradient_checkpointing", "true"],
  ],
  [
    "DPO, four bits, no layer run again, 8-bit AdamW",
    { ...base, method: "dpo", weights: "4-bit", batchSize: 4, tokens: 96, optim: "adamw_8bit", gradientCheckpointing: false },
    [...lora, "--load_in_4bit", "--use_bnb_nested_quant", "--optim", "adamw_8bit", "--gradient_checkpointing", "false"],
  ],
  [
    "SFT, every weight",
    { ...base, method: "sft", weights: "trained", batchSize: 6, tokens: 80, optim: "adamw_torch" },
    ["--optim", "adamw_torch", "--gradient_checkpointing", "true"],
  ],
])("%s: within 1 % of the command's plan", async (_name, asked, flags) => {
  const run = { ...asked, config: readFixtureJson<ModelJson>("model", "config.json"), capabilities };
  const [page, command] = [await planInBrowser(run), await planOfCommand(run, flags)];
  expect(Math.abs(page / command - 1), `${page} beside ${command}`).toBeLessThan(0.01);
});
