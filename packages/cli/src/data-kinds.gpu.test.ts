import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fixturePath } from "@kto/testing/workspace";
import type { Device } from "@kto/tensor";
import { describe, expect, it, vi } from "vitest";
import type { DataCase, DataRead } from "../../datasets/src/testing/data-case.js";
import { layoutCases, mixedCases } from "../../datasets/src/testing/layout-cases.js";
import { columnCases, emptyCases, labelCases } from "../../datasets/src/testing/value-cases.js";
import { tableCases } from "../../datasets/src/testing/table-cases.js";
import { templateCases } from "../../datasets/src/testing/template-cases.js";
import { contentCases, jsonCases, unreadCases } from "../../datasets/src/testing/text-cases.js";
import type * as OnDevice from "./load/on-device.js";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

/** One device for all commands: what a command computes is the same, and opening one and compiling its kernels is most of the time. */
vi.mock("./load/on-device.js", async (original) => {
  const real = await original<typeof OnDevice>();
  let shared: Device | undefined;
  const commandDevice: typeof real.commandDevice = async (...given) => {
    if (shared) return shared;
    shared = await real.commandDevice(...given);
    return Object.defineProperty(shared, Symbol.asyncDispose, { value: () => Promise.resolve() });
  };
  return { ...real, commandDevice };
});

const model = fixturePath("model");

interface Report {
  counts: { prepared: number };
  classBalance: { desirable: number; undesirable: number };
  dropped: { index: number }[];
  samples: { label: boolean; promptText: string; completionText: string; tokens: { id: number }[] }[];
}

/** One line of `kto score`. */
type Line = { prompt_ids: number[]; completion_ids: number[] } | { dropped: string } | { chosen: Line; rejected: Line };

describe.each([
  ["layouts", layoutCases],
  ["columns", columnCases],
  ["what is empty", emptyCases],
  ["labels", labelCases],
  ["mixed and foreign rows", mixedCases],
  ["tables, folders and cards", tableCases],
  ["templates", templateCases],
  ["JSON that is not JavaScript's", jsonCases],
  ["files that are not what they are called", contentCases],
  ["columns that nobody reads", unreadCases],
])("%s", (_kind, cases) => {
  it.each(cases)("$name", async (one) => {
    using folder = temporaryFolder();
    for (const [path, content] of Object.entries(one.files)) {
      mkdirSync(dirname(folder.file(path)), { recursive: true });
      writeFileSync(folder.file(path), content);
    }
    const paths = Object.keys(one.files);
    const data = folder.file(one.data ?? (paths.length === 1 ? paths[0]! : "."));
    const flags = ["--data", data, ...(one.flags ?? [])];
    const train = ["train", "--model", model, ...flags, "--use_peft", "--max_steps", "1", "--output_dir", folder.file("out")];
    const commands = {
      "data without a model": ["data", ...flags, "--json"],
      data: ["data", "--model", model, ...flags, "--json", "--head", "null"],
      score: ["score", "--model", model, ...flags],
      evaluate: ["evaluate", "--model", model, ...flags, "--json"],
      train: [...train, "--per_device_train_batch_size", "2", "--json"],
    };
    const outcomes = new Map<string, Outcome>();
    for (const [name, argv] of Object.entries(commands)) {
      if (name === "evaluate" && one.outcome.status === 0) continue; // what it prepares is what train does
      outcomes.set(name, await kto(argv));
    }
    if (one.outcome.status === 0) expectRead(one.outcome, outcomes);
    else expectRefused(one, outcomes, folder.file("out"));
    if (one.outcome.status === 0) expect(existsSync(folder.file("out", "adapter_model.safetensors"))).toBe(true);
  });
});

it("only score does without labels, where the data has none at all, and evaluate, which then takes it as answers to learn", async () => {
  using folder = temporaryFolder();
  const [unlabelled, partly] = [folder.file("unlabelled.jsonl"), folder.file("partly.jsonl")];
  writeFileSync(unlabelled, '{"prompt": "Q", "completion": " a"}\n');
  writeFileSync(partly, '{"prompt": "Q", "completion": " a", "label": true}\n{"prompt": "Q", "completion": " a"}\n');
  const status = async (data: string, ...argv: string[]): Promise<number> => (await kto([...argv, "--data", data])).status;
  const train = ["train", "--model", model, "--use_peft", "--output_dir", folder.file("out")];
  for (const command of ["score", "evaluate"]) expect(await status(unlabelled, command, "--model", model)).toBe(0);
  for (const argv of [["data"], ["data", "--model", model], ["evaluate", "--method", "kto", "--model", model], train])
    expect(await status(unlabelled, ...argv)).toBe(2);
  for (const argv of [["data"], ["score", "--model", model], train]) expect(await status(partly, ...argv)).toBe(2);
});

it("says what of a request comes to nothing", async () => {
  using folder = temporaryFolder();
  const data = folder.file("rows.jsonl");
  writeFileSync(data, `${JSON.stringify({ prompt: "Q", completion: " a", label: "True", id: 7 })}\n`.repeat(2));
  const shown = await kto(["data", data, "--model", model, "--head", "9", "--json", "--template", "{{ messages }}"]);
  expect(shown.stderr).toContain("note: head: 9 samples are asked for, and there are 2");
  expect(shown.stderr).toContain("note: the chat template that is given has no effect: the rows are not conversations");
  expect(JSON.parse(shown.stdout)).toMatchObject({
    unreadColumns: ["id"],
    notes: [{ kind: "unused template" }, { kind: "labels as text", count: 2, row: 0 }],
  });
  const argv = [
    "train",
    "--model",
    model,
    "--data",
    data,
    "--eval_file",
    data,
    "--use_peft",
    "--max_steps",
    "1",
    "--per_device_train_batch_size",
    "2",
  ];
  const trained = await kto([...argv, "--max_train_samples", "9", "--output_dir", folder.file("a")]);
  expect(trained.stderr).toContain("note: max_train_samples: 9 rows are asked for, and the data has 2");
  expect(trained.stderr).toContain('note: eval_file is not read: eval_strategy is "no"');
  expect(trained.stderr).toContain("columns not read: id");
  const evaluated = await kto([...argv, "--eval_strategy", "epoch", "--output_dir", folder.file("b")]);
  expect(evaluated.status).toBe(0);
  expect(evaluated.stderr.match(/labels are text/g)).toHaveLength(1);
});

/** Status 2, the same lines in every command, nothing on stdout, nothing written. */
function expectRefused({ outcome }: DataCase, outcomes: ReadonlyMap<string, Outcome>, output: string): void {
  const [first] = outcomes.values();
  const lines = errorLinesOf(first!);
  for (const text of outcome.says ?? []) expect(lines.join("\n")).toMatch(text);
  for (const [name, run] of outcomes) {
    expect({ name, status: run.status, stdout: run.stdout }).toEqual({ name, status: 2, stdout: "" });
    expect(errorLinesOf(run), name).toEqual(lines);
  }
  expect(existsSync(output)).toBe(false);
}

/** Status 0, and the same rows in every command. */
function expectRead({ rows, dropped = [], samples = [], says = [] }: DataRead, outcomes: ReadonlyMap<string, Outcome>): void {
  for (const [name, { status, stderr }] of outcomes) expect({ name, status }, stderr).toEqual({ name, status: 0 });
  const { stdout, stderr } = outcomes.get("data")!;
  const report = JSON.parse(stdout) as Report;
  expect(report.counts.prepared).toBe(rows);
  expect(report.dropped.map(({ index }) => index)).toEqual(dropped);
  const read = report.samples.map(({ promptText, completionText, label }) => [promptText, completionText, label] as const);
  expect(read.slice(0, samples.length)).toEqual(samples);

  const scored = outcomes.get("score")!;
  const lines = scored.stdout.trimEnd().split("\n");
  const completions = lines.flatMap((line) => completionsOf(JSON.parse(line) as Line));
  const ids = (list: readonly number[][]): string[] => list.map((one) => one.join(" ")).sort();
  expect(ids(completions)).toEqual(ids(report.samples.map(({ tokens }) => tokens.map(({ id }) => id))));

  const trained = outcomes.get("train")!;
  const { desirable, undesirable } = report.classBalance;
  expect(trained.stderr).toContain(`${rows} ${rows === 1 ? "row" : "rows"}: ${desirable} desirable, ${undesirable} undesirable`);
  for (const text of says) {
    if (text.source.startsWith("note")) expect(stderr).toMatch(text);
    for (const { stderr: said } of [scored, trained]) expect(said.replaceAll(/\n {2,}/g, " ")).toMatch(text);
  }
}

function completionsOf(line: Line): number[][] {
  if ("chosen" in line) return [...completionsOf(line.chosen), ...completionsOf(line.rejected)];
  return "dropped" in line ? [] : [[...line.prompt_ids, ...line.completion_ids]];
}
