import { readFileSync, writeFileSync } from "node:fs";
import { fixturePath, readFixtureJsonl } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

const model = fixturePath("model");

interface TrlRow {
  prompt_ids: number[];
  chosen_ids: number[];
  rejected_ids: number[];
}

/** Pairs as trl tokenised them; the same pairs as text are in rows.jsonl. */
const ids = readFixtureJsonl<TrlRow>("dpo", "tokenized", "main.jsonl")
  .slice(0, 8)
  .map(({ prompt_ids, chosen_ids, rejected_ids }) => ({ prompt_ids, chosen_ids, rejected_ids }));

let folder: ReturnType<typeof temporaryFolder>;
let data: string;
beforeAll(() => {
  folder = temporaryFolder();
  data = folder.file("ids.jsonl");
  writeFileSync(data, ids.map((row) => `${JSON.stringify(row)}\n`).join(""));
});
afterAll(() => folder[Symbol.dispose]());

describe.each<[string, string[], string[]]>([
  ["dpo", ["--use_weighting"], ["rewards/accuracies"]],
  ["orpo", ["--beta", "0.2"], ["nll_loss", "log_odds_ratio", "log_odds_chosen"]],
  ["cpo", ["--loss_type", "simpo", "--cpo_alpha", "0", "--beta", "2"], ["nll_loss"]],
])("kto %s", (method, flags, metrics) => {
  it("trains on pairs of token ids", async () => {
    const output = folder.file(method);
    const argv = [method, "--model", model, "--data", data, ...flags, "--use_peft", "--max_steps", "2", "--logging_steps", "1"];
    const { status, stderr, stdout } = await kto([...argv, "--per_device_train_batch_size", "2", "--output_dir", output, "--json"]);
    expect(stderr).not.toContain("error[");
    expect(status).toBe(0);
    expect(stderr).toContain("8 pairs");
    expect(JSON.parse(stdout)).toMatchObject({ global_step: 2 });
    const [first] = readFileSync(`${output}/metrics.jsonl`, "utf8").split("\n");
    expect(Object.keys(JSON.parse(first!) as object)).toEqual(expect.arrayContaining(metrics));
    expect(readFileSync(`${output}/README.md`, "utf8")).toContain(method);
  });
});

it("a field of another method is told, with the methods that have it", async () => {
  const { status, stderr } = await kto(["orpo", "--model", model, "--data", data, "--use_peft", "--reference", "base", "--cpo_alpha", "1"]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/--reference: a field of kto, dpo, and the method is orpo/);
  expect(stderr).toMatch(/--cpo_alpha: a field of cpo, and the method is orpo; .*set method: cpo/);
});

it("data, score and evaluate read pairs of token ids too", async () => {
  const report = await kto(["data", data, "--head", "1", "--json"]);
  expect(JSON.parse(report.stdout)).toMatchObject({ format: { type: "tokenized-pairs" }, counts: { source: 8 } });
  const scored = await kto(["score", "--model", model, "--data", data]);
  const [line] = scored.stdout.split("\n");
  expect(JSON.parse(line!)).toMatchObject({
    chosen: { completion_ids: ids[0]!.chosen_ids },
    rejected: { completion_ids: ids[0]!.rejected_ids },
  });
  const evaluated = await kto(["evaluate", "--model", model, "--data", data, "--json"]);
  expect(evaluated.status).toBe(0);
  expect(JSON.parse(evaluated.stdout)).toMatchObject({ "eval_rewards/chosen": 0 });
});
