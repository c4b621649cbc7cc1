import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PageData } from "@kto/report";
import { fixturePath, readEvents } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
  const rows = readFileSync(fixturePath("kto", "rows.jsonl"), "utf8").split("\n").slice(0, 10).join("\n"); // two of them too long
  writeFileSync(folder.file("rows.jsonl"), `${rows}\n`);
  writeFileSync(
    folder.file("kto.yaml"),
    [
      "method: kto",
      `model_name_or_path: ${fixturePath("model")}`,
      `train_file: ${folder.file("rows.jsonl")}`,
      "use_peft: true",
      "lora_r: 4",
      "lora_target_modules: [q_proj, v_proj]",
      "max_length: 96",
      "per_device_train_batch_size: 2",
      "gradient_accumulation_steps: 2",
      "max_steps: 5",
      "learning_rate: 1.0e-3",
      "lr_scheduler_type: cosine",
      "warmup_ratio: 0.1",
      "logging_steps: 1",
      "report_to: none",
    ].join("\n"),
  );
});
afterAll(() => folder[Symbol.dispose]());

const train = (output: string, ...more: string[]): string[] => [
  "train",
  folder.file("kto.yaml"),
  "--output_dir",
  folder.file(output),
  ...more,
];
const bytesOf = (output: string): Buffer => readFileSync(folder.file(output, "adapter_model.safetensors"));
const timings = ["step_time_ms", "tokens_per_second", "samples_per_second", "gpu_memory_bytes"];

function metricsOf(output: string): Record<string, number>[] {
  const records = readFileSync(folder.file(output, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);
  for (const record of records) for (const name of timings) expect(record[name]).toBeGreaterThan(0);
  return records.map((record) => Object.fromEntries(Object.entries(record).filter(([name]) => !timings.includes(name))));
}

function samplesOf(run: string): { split: string; before: string; after?: string }[] {
  const text = readFileSync(folder.file(run, "samples.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ReturnType<typeof samplesOf>[number]);
}

/** What the page of a run shows. */
function reportOf(run: string): PageData {
  return JSON.parse(/id="report">(.*?)<\/script>/s.exec(readFileSync(folder.file(run, "report.html"), "utf8"))![1]!) as PageData;
}

describe("kto train", () => {
  it("writes everything that the contract names", async () => {
    const { status, stdout, stderr } = await kto(train("whole", "--json"));
    expect({ status, errors: stderr.match(/error.*/g) }).toEqual({ status: 0, errors: null });
    expect(readdirSync(folder.file("whole")).sort()).toEqual([
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
      "checkpoint-5",
      "data_summary.json",
      "metrics.jsonl",
      "report.html",
      "resolved_config.yaml",
      "samples.jsonl",
      "tokenizer.json",
      "tokenizer_config.json",
      "train_results.json",
      "trainer_state.json",
    ]);
    expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(folder.file("whole", "train_results.json"), "utf8")));
    const results = JSON.parse(stdout) as Record<string, number>;
    expect(results["global_step"]).toBe(5);
    expect(results["planned_gpu_memory_bytes"]! / results["peak_gpu_memory_bytes"]!).toBeCloseTo(1, 1);
    const records = metricsOf("whole");
    expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(records.map(({ loss }) => loss).slice(0, 2)).toEqual([0.5, 0.5]);
    const state = JSON.parse(readFileSync(folder.file("whole", "trainer_state.json"), "utf8")) as { log_history: Record<string, number>[] };
    expect(state.log_history.slice(0, 5).map(({ loss }) => loss)).toEqual(records.map(({ loss }) => loss));
    const [page] = reportOf("whole").runs;
    expect(page).toMatchObject({ isFinished: true, lastStep: 5, data: { counts: { prepared: 8, dropped: 2 } }, problems: [] });
    expect(page!.series.find(({ name }) => name === "loss")!.values).toEqual(records.map(({ loss }) => Number(loss!.toPrecision(9))));
    const samples = samplesOf("whole");
    expect(samples.map(({ split }) => split)).toEqual(["train", "train", "train", "train"]);
    for (const { before, after } of samples) expect([typeof before, typeof after]).toEqual(["string", "string"]);
    expect(page!.samples.map(({ after }) => after)).toEqual(samples.map(({ after }) => after));
    expect(page!.samples[0]!.tokens!.every(({ logRatio }) => logRatio !== undefined)).toBe(true);
    for (const line of stderr.split("\n").filter((text) => !text.startsWith("note: "))) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("repeats bit for bit from resolved_config.yaml", async () => {
    const config = folder.file("whole", "resolved_config.yaml");
    const { status } = await kto(["train", "--config", config, "--output_dir", folder.file("again"), "--quiet"]); // trl's spelling
    expect(status).toBe(0);
    expect(bytesOf("again").equals(bytesOf("whole"))).toBe(true);
    expect(metricsOf("again")).toEqual(metricsOf("whole"));
  });

  it("an interrupted run ends with 130, a checkpoint and its path, and goes on to the same bits", async () => {
    const interrupt = new AbortController();
    const onStderr = (text: string): void => void (/^ +3 /m.test(text) && interrupt.abort(new Error("stop")));
    const { status, stdout, stderr } = await kto(train("stopped", "--report_to", "tensorboard"), { signal: interrupt.signal, onStderr });
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
    expect(stderr).toContain(`--resume_from_checkpoint ${folder.file("stopped", "checkpoint-3")}`);
    expect(existsSync(folder.file("stopped", ".kto.lock"))).toBe(false);

    expect(samplesOf("stopped").map(({ before, after }) => [before, after])).toEqual(
      samplesOf("whole").map(({ before }) => [before, undefined]),
    );

    // What a killed process leaves: its lock, and a line that it did not finish.
    writeFileSync(folder.file("stopped", ".kto.lock"), JSON.stringify({ pid: 2 ** 22 + 1, started: "1" }));
    writeFileSync(folder.file("stopped", "metrics.jsonl"), '{"step":4,"loss":1}\n{"step":5,"lo', { flag: "a" });
    const resumed = train("stopped", "--resume_from_checkpoint", "true", "--quiet", "--report_to", "[tensorboard]");
    expect((await kto(resumed)).status).toBe(0);
    expect(bytesOf("stopped").equals(bytesOf("whole"))).toBe(true);
    expect(metricsOf("stopped")).toEqual(metricsOf("whole"));
    expect(samplesOf("stopped")).toEqual(samplesOf("whole"));

    const [runs, ...otherRuns] = readdirSync(folder.file("stopped", "runs")).map((name) => folder.file("stopped", "runs", name));
    expect(otherRuns).toEqual([]); // the run goes on where it was
    const files = readdirSync(runs!).sort();
    const [first, second] = files.map((name) => readEvents(readFileSync(join(runs!, name))));
    expect(first!.flatMap(({ texts }) => Object.keys(texts))).toEqual(["args/text_summary", "model_config/text_summary"]);
    expect(second!.find(({ restarts }) => restarts)).toMatchObject({ step: 4 });
    const losses = [...first!, ...second!].flatMap(({ step, scalars }) => ("train/loss" in scalars ? [[step, scalars["train/loss"]]] : []));
    expect(losses).toEqual(metricsOf("whole").map(({ step, loss }) => [step, Math.fround(loss!)]));
    expect(second!.at(-1)).toMatchObject({ step: 5, scalars: { "train/train_runtime": expect.any(Number) } });
  });

  it("resuming a finished run changes nothing, and says so", async () => {
    const files = ["train_results.json", "metrics.jsonl", "trainer_state.json", "adapter_model.safetensors", "resolved_config.yaml"];
    const contents = (): string[] => files.map((name) => readFileSync(folder.file("stopped", name), "latin1"));
    const before = contents();
    const { status, stdout, stderr } = await kto(train("stopped", "--resume_from_checkpoint", "true", "--json"));
    expect({ status, results: JSON.parse(stdout) as unknown }).toEqual({ status: 0, results: JSON.parse(before[0]!) as unknown });
    expect(stderr).toContain("checkpoint-5 is the end of this run");
    expect(contents()).toEqual(before);
  });

  it.each<[file: string, what: string, damage: (path: string) => void, problem: RegExp]>([
    ["optimizer.safetensors", "cut off", (path) => truncateSync(path, 1000), /expected the \d+ bytes that were written, got 1000/],
    ["adapter_model.safetensors", "gone", (path) => rmSync(path), /it is missing/],
    ["trainer_state.json", "another text", (path) => writeFileSync(path, "<html>"), /it is not JSON/],
    [
      "trainer_state.json",
      "of another step",
      (path) => copyFileSync(path.replace("-5", "-3"), path),
      /of another checkpoint; expected global_step 5, got 3/,
    ],
  ])(
    "%s of the newest checkpoint, %s: goes on from the one before, with a warning, to the same bits",
    async (file, _what, damage, problem) => {
      rmSync(folder.file("damaged"), { recursive: true, force: true });
      cpSync(folder.file("stopped"), folder.file("damaged"), { recursive: true });
      damage(folder.file("damaged", "checkpoint-5", file));
      const { status, stderr } = await kto(train("damaged", "--resume_from_checkpoint", "true"));
      expect(status).toBe(0);
      const said = stderr.replace(/\s+/g, " ");
      expect(said).toContain(`warning: checkpoint-5/${file} is damaged: `);
      expect(said).toMatch(problem);
      expect(said).toContain("going on from checkpoint-3");
      expect(bytesOf("damaged").equals(bytesOf("whole"))).toBe(true);
      expect(metricsOf("damaged")).toEqual(metricsOf("whole"));
    },
  );

  it("a damaged checkpoint that is named, or where none before it is whole, is one error and nothing changes", async () => {
    rmSync(folder.file("damaged"), { recursive: true, force: true });
    cpSync(folder.file("stopped"), folder.file("damaged"), { recursive: true });
    const bytes = readFileSync(folder.file("damaged", "checkpoint-5", "optimizer.safetensors"));
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(folder.file("damaged", "checkpoint-5", "optimizer.safetensors"), bytes);
    const named = await kto(train("damaged", "--resume_from_checkpoint", "checkpoint-5"));
    expect(named.status).toBe(2);
    expect(errorLinesOf(named)).toEqual([
      "kto: error[FORMAT]: resume: checkpoint-5/optimizer.safetensors is damaged: its bytes are not those that were written: their SHA-256 differs; resume from another one",
    ]);
    rmSync(folder.file("damaged", "checkpoint-3", "adapter_config.json"));
    const incomplete = await kto(train("damaged", "--resume_from_checkpoint", folder.file("damaged", "checkpoint-3")));
    expect(incomplete.status).toBe(2);
    expect(errorLinesOf(incomplete)).toEqual([
      expect.stringMatching(/checkpoint-3 is not complete; .* got no adapter_config\.json; true takes/),
    ]);
    const none = await kto(train("damaged", "--resume_from_checkpoint", "true"));
    expect(none.status).toBe(2);
    expect(errorLinesOf(none)).toEqual([
      expect.stringMatching(
        /checkpoint-5\/optimizer\.safetensors is damaged: .*; checkpoint-3\/adapter_config\.json: it is missing; .*--overwrite_output_dir to begin anew/,
      ),
    ]);
    expect(readdirSync(folder.file("damaged")).sort()).toEqual(readdirSync(folder.file("stopped")).sort());
  });

  it("says which settings of the adapter are others", async () => {
    cpSync(folder.file("stopped"), folder.file("scaled"), { recursive: true });
    const flags = ["--resume_from_checkpoint", "true", "--max_steps", "6", "--lora_alpha", "8", "--use_rslora"];
    const { status, stderr } = await kto(train("scaled", ...flags));
    expect(status).toBe(0);
    expect(stderr).toContain("with another lora_alpha than before: 8, there 32");
    expect(stderr).toContain("with another use_rslora than before: true, there false");
    const other = await kto(train("scaled", "--resume_from_checkpoint", "true", "--lora_r", "8"));
    expect(other.status).toBe(2);
    expect(errorLinesOf(other)).toEqual([expect.stringMatching(/checkpoint-6 does not fit: it is of another adapter: r 4 there, 8 here/)]);
  });

  it("goes on with another learning rate and more steps, and says so", async () => {
    cpSync(folder.file("stopped"), folder.file("further"), { recursive: true });
    const flags = ["--resume_from_checkpoint", "true", "--max_steps", "7", "--learning_rate", "5e-4"];
    const { status, stderr } = await kto(train("further", ...flags));
    expect(status).toBe(0);
    expect(stderr).toContain("with another learning_rate than before: 0.0005, there 0.001");
    expect(stderr).toContain("with another max_steps than before: 7, there 5");
    expect(metricsOf("further").map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("refuses a finished run's folder, and replaces it when told to", async () => {
    cpSync(folder.file("again"), folder.file("old"), { recursive: true });
    expect((await kto(train("old"))).status).toBe(2);
    expect(bytesOf("old").equals(bytesOf("again"))).toBe(true);
    expect((await kto(train("old", "--overwrite_output_dir", "--max_steps", "2", "--quiet"))).status).toBe(0);
    expect(readdirSync(folder.file("old"))).not.toContain("checkpoint-5");
  });

  it("a max_memory that is too small is refused before anything of an earlier run goes", async () => {
    cpSync(folder.file("again"), folder.file("kept"), { recursive: true });
    for (const output of ["kept", "small"]) {
      const outcome = await kto(train(output, "--overwrite_output_dir", "--max_memory", "1MB", "--quiet"));
      expect(errorLinesOf(outcome)).toEqual([
        expect.stringMatching(/memory: the run does not fit; expected at most .* of GPU memory, got a need of .* for a row/),
      ]);
      expect(outcome).toMatchObject({ status: 2, stdout: "" });
    }
    expect(readdirSync(folder.file("kept")).sort()).toEqual(readdirSync(folder.file("again")).sort());
    expect(bytesOf("kept").equals(bytesOf("again"))).toBe(true);
    expect(existsSync(folder.file("small"))).toBe(false);
  });

  it("a loss that is not finite stops the run, names update and rows, and keeps the last checkpoint", async () => {
    const outcome = await kto(
      train("infinite", "--learning_rate", "1e38", "--lora_target_modules", "all-linear", "--max_grad_norm", "0", "--save_steps", "1"),
    );
    expect(outcome.status).toBe(1);
    expect(errorLinesOf(outcome)).toEqual([
      expect.stringMatching(/NON_FINITE_LOSS.*in update \d.*rows in the data are [\d, ]+.*checkpoint/),
    ]);
    expect(readdirSync(folder.file("infinite")).filter((name) => name.startsWith("checkpoint-"))).not.toEqual([]);
  });

  it.each([
    ["modules that are not there", ["--lora_target_modules", "w_pack", "query"], /LORA_TARGET/],
    ["float16 on a device without it", ["--dtype", "float16"], /CAPABILITY.*shader-f16/],
  ])("%s: refused before anything is written", async (_what, flags, says) => {
    const outcome = await kto(train("refused", ...flags));
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(says)]);
    expect(outcome.status).toBe(2);
    expect(existsSync(folder.file("refused"))).toBe(false);
  });

  it("weights that contradict config.json are refused, with the tensor's name", async () => {
    cpSync(fixturePath("model"), folder.file("model"), { recursive: true });
    const config = JSON.parse(readFileSync(folder.file("model", "config.json"), "utf8")) as Record<string, number>;
    writeFileSync(folder.file("model", "config.json"), JSON.stringify({ ...config, intermediate_size: config["intermediate_size"]! + 16 }));
    const outcome = await kto(train("refused", "--model_name_or_path", folder.file("model")));
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/SHAPE.*mlp\.\w+\.weight contradicts config\.json/)]);
    expect(outcome.status).toBe(2);
  });
});

describe("kto score and evaluate", () => {
  it("a line for every row, in order, with what is dropped", async () => {
    const { status, stdout } = await kto([
      "score",
      "--model",
      fixturePath("model"),
      "--adapter",
      folder.file("whole"),
      "--data",
      folder.file("rows.jsonl"),
      "--max_length",
      "96",
      "--json",
    ]);
    expect(status).toBe(0);
    const scores = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { dropped?: string; completion_ids: number[]; logps: number; token_logps: number[] });
    expect(scores).toHaveLength(10);
    expect(scores.flatMap(({ dropped }, index) => (dropped === undefined ? [] : [index]))).toEqual([3, 5]);
    for (const { dropped, completion_ids: ids, logps, token_logps: tokens } of scores) {
      if (dropped !== undefined) continue;
      expect(tokens).toHaveLength(ids.length);
      expect(tokens.reduce((sum, value) => sum + value, 0)).toBeCloseTo(logps, 3);
    }
  });

  it("tokenised rows need no tokenizer, and give the same numbers", async () => {
    const scored = await kto(["score", "--model", fixturePath("model"), "--data", folder.file("rows.jsonl"), "--max_length", "96"]);
    const tokenised = scored.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { dropped?: string; prompt_ids: number[]; completion_ids: number[] })
      .filter(({ dropped }) => dropped === undefined);
    writeFileSync(
      folder.file("ids.jsonl"),
      tokenised.map(({ prompt_ids, completion_ids }) => JSON.stringify({ prompt_ids, completion_ids })).join("\n"),
    );
    mkdirSync(folder.file("bare"));
    for (const name of ["config.json", "model.safetensors"]) cpSync(fixturePath("model", name), folder.file("bare", name));
    const again = await kto(["score", "--model", folder.file("bare"), "--data", folder.file("ids.jsonl"), "--max_length", "96"]);
    const kept = scored.stdout
      .split("\n")
      .filter((line) => !line.includes("dropped"))
      .map((line) => (line === "" ? line : (JSON.parse(line) as { logps: number }).logps));
    const got = again.stdout.split("\n").map((line) => (line === "" ? line : (JSON.parse(line) as { logps: number }).logps));
    expect(got.slice(0, -1)).toHaveLength(8);
    for (const [index, value] of got.slice(0, -1).entries()) expect(value as number).toBeCloseTo(kept[index] as number, 3);
  });

  it("load_in_4bit scores a 16-bit model as its four-bit checkpoint is scored", async () => {
    writeFileSync(folder.file("few.jsonl"), JSON.stringify({ prompt_ids: [491, 48, 25], completion_ids: [220, 257, 280] }));
    const score = async (model: string, ...flags: string[]): Promise<string> =>
      (await kto(["score", "--model", fixturePath(model), "--data", folder.file("few.jsonl"), "--quiet", ...flags])).stdout;
    const fourBit = await score("nf4/model-plain");
    expect(fourBit).toContain("logps");
    expect(await score("model-bf16", "--load_in_4bit", "--use_bnb_nested_quant")).toBe(fourBit);
    expect(await score("model-bf16")).not.toBe(fourBit);
  });

  it("the base against itself has loss 0.5 and no reward; a trained adapter has some", async () => {
    const evaluate = [
      "evaluate",
      "--model",
      fixturePath("model"),
      "--data",
      folder.file("rows.jsonl"),
      "--max_length",
      "96",
      "--json",
      "--quiet",
    ];
    const base = await kto(evaluate);
    expect(JSON.parse(base.stdout)).toMatchObject({ eval_loss: 0.5, "eval_rewards/margins": 0, eval_kl: 0 });
    const trained = JSON.parse((await kto([...evaluate, "--adapter", folder.file("whole")])).stdout) as Record<string, number>;
    expect(trained["eval_loss"]).not.toBe(0.5);
    expect(trained["eval_rewards/chosen"]).not.toBe(0);
  });
});

it("kto doctor measures the device", async () => {
  const { status, stdout } = await kto(["doctor", "--json"]);
  expect(status).toBe(0);
  const report = JSON.parse(stdout) as {
    adapter: { name: string };
    features: string[];
    limits: Record<string, number>;
    selfTest: Record<string, number>;
    problems: unknown[];
  };
  expect(report.adapter.name).not.toBe("");
  expect(report.limits["maxBufferSize"]).toBeGreaterThan(0);
  expect(report.selfTest["gemmTflops"]).toBeGreaterThan(0);
  expect(report.selfTest["copyGBs"]).toBeGreaterThan(0);
  expect(report.selfTest["maxRelativeError"]).toBeLessThan(2e-3);
});
