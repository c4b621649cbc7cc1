import { memoryStore, type Store } from "@kto/core";
import { beforeEach, describe, expect, it } from "vitest";
import { readRun } from "./read-run.js";
import { runsIn } from "./run-folder.js";

const line = (values: object): string => `${JSON.stringify(values)}\n`;
const log = (step: number): object => ({ step, epoch: step / 10, loss: 0.5 / step, kl: 0 });

describe("the files of a run", () => {
  let folder: Store;
  beforeEach(async () => {
    folder = memoryStore("outputs/first");
    await folder.write("metrics.jsonl", line(log(1)) + line(log(2)));
    await folder.write("resolved_config.yaml", "learning_rate: 5.e-7\nbeta: 0.1\nlora_target_modules:\n  - q_proj\nseed: 42\n");
  });

  it("are put together, those that are not there left out", async () => {
    expect(await readRun(folder)).toEqual({
      name: "first",
      isFinished: false,
      records: [log(1), log(2)],
      evaluations: [],
      config: [
        { name: "learning_rate", value: "5.e-7" },
        { name: "beta", value: "0.1" },
        { name: "lora_target_modules", value: '["q_proj"]' },
        { name: "seed", value: "42" },
      ],
      samples: [],
      problems: [],
    });
  });

  it("tell evaluations, results, data and samples of a finished one", async () => {
    await folder.write("trainer_state.json", JSON.stringify({ log_history: [log(1), { step: 2, eval_loss: 0.3, eval_kl: 0 }, log(2)] }));
    await folder.write("train_results.json", '{"train_loss": 0.4, "note": "no number"}');
    await folder.write(
      "data_summary.json",
      JSON.stringify({
        counts: { prepared: 2, dropped: 1 },
        class_balance: { desirable: 1, undesirable: 1 },
        histogram: [{ from: 0, to: 8, count: 2 }],
      }),
    );
    const sample = {
      split: "eval",
      row: 7,
      prompt: [{ role: "user", content: "2 + 2" }],
      before: "5",
      after: "4",
      finish_reasons: { before: "length", after: "stop" },
      tokens: [{ text: "4", log_ratio: 0.5 }],
    };
    await folder.write("samples.jsonl", line(sample) + line({ before: "of nothing" }));
    const run = await readRun(folder);
    expect(run).toMatchObject({
      isFinished: true,
      evaluations: [{ step: 2, eval_loss: 0.3, eval_kl: 0 }],
      results: { train_loss: 0.4 },
      data: { counts: { prepared: 2, dropped: 1 }, classBalance: { desirable: 1, undesirable: 1 } },
      samples: [
        {
          prompt: "user: 2 + 2",
          split: "eval",
          row: 7,
          before: "5",
          after: "4",
          isCut: { before: true, after: false },
          tokens: [{ text: "4", logRatio: 0.5 }],
        },
      ],
      problems: [],
    });
    expect(run.samples).toHaveLength(1);
  });

  it("tell evaluations of the newest checkpoint while the run goes on", async () => {
    for (const step of [2, 10])
      await folder.write(`checkpoint-${step}/trainer_state.json`, JSON.stringify({ log_history: [{ step, eval_loss: step }] }));
    expect((await readRun(folder)).evaluations).toEqual([{ step: 10, eval_loss: 10 }]);
  });

  it("say which fields are not at their defaults, however they are written", async () => {
    const defaults: Record<string, unknown> = { learning_rate: 5e-7, beta: 0.5, lora_target_modules: ["q_proj"], seed: 42 };
    const { config } = await readRun(folder, { defaultOf: (name) => defaults[name] });
    expect(config.map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ["learning_rate", true],
      ["beta", false],
      ["lora_target_modules", true],
      ["seed", true],
    ]);
  });

  it.each([
    ["a line that is cut", line(log(1)) + '{"step": 2, "lo', "metrics.jsonl: the last line is cut off and was left out"],
    ["a line that is none", `${line(log(1))}[1]\n${line(log(3))}`, "metrics.jsonl: line 2 is no JSON object and was left out"],
  ])("%s is left out and told of", async (_, text, problem) => {
    await folder.write("metrics.jsonl", text);
    const { records, problems } = await readRun(folder);
    expect(problems).toEqual([problem]);
    expect(records[0]).toEqual(log(1));
  });

  it("NaN and infinities, as Python writes them, are gaps", async () => {
    await folder.write("metrics.jsonl", '{"step": 1, "loss": NaN, "kl": -Infinity, "grad_norm": 1}\n');
    expect((await readRun(folder)).records).toEqual([{ step: 1, loss: null, kl: null, grad_norm: 1 }]);
  });

  it("that are damaged are told of, and the rest is shown", async () => {
    await folder.write("trainer_state.json", "{");
    await folder.write("resolved_config.yaml", "a: [");
    const run = await readRun(folder);
    expect(run.problems).toEqual([
      "trainer_state.json: no JSON object; it was left out",
      "resolved_config.yaml: not YAML; it was left out",
    ]);
    expect(run.records).toHaveLength(2);
  });
});

describe("a folder that is no run", () => {
  it("is refused", async () => {
    await expect(readRun(memoryStore("elsewhere"))).rejects.toThrow(
      "elsewhere: the folder holds no run; expected a folder with metrics.jsonl or resolved_config.yaml, got one without either; name the output_dir of a run",
    );
  });

  it("is refused with the names of the runs in it", async () => {
    const folder = memoryStore("outputs");
    for (const name of ["b", "a"]) await folder.write(`${name}/metrics.jsonl`, line(log(1)));
    await folder.write("checkpoint-2/metrics.jsonl", "");
    await folder.write("other/file", "");
    expect(await runsIn(folder)).toEqual(["a", "b"]);
    await expect(readRun(folder)).rejects.toMatchObject({ code: "RUN_FOLDER", runs: ["a", "b"] });
    await expect(readRun(folder)).rejects.toThrow("the folder holds runs and is none itself");
  });
});
