import { expect, it } from "vitest";
import type { Io } from "../io.js";
import { kto } from "../testing/run-kto.js";
import { describeMemory } from "./banner.js";
import { Console, wrap } from "./console.js";
import { formatBytes, formatNumber, formatSeconds } from "./format.js";

function recorder(more: { isTTY?: boolean; env?: Record<string, string> } = {}): { io: Io; text(): string } {
  let text = "";
  const sink = { write: (part: string) => (text += part), ...(more.isTTY === undefined ? {} : { isTTY: more.isTTY }) };
  return { io: { stdout: sink, stderr: sink, env: more.env ?? {} }, text: () => text };
}

it("formats amounts in few characters", () => {
  expect([0, 1023, 1536, 7.2 * 2 ** 30].map(formatBytes)).toEqual(["0 B", "1023 B", "1.50 KiB", "7.20 GiB"]);
  expect([8, 190, 7500, Infinity].map(formatSeconds)).toEqual(["8s", "3m10s", "2h05m", "?"]);
  expect([0, 0.49871, -143.546, 1.234e-5, undefined].map((value) => formatNumber(value))).toEqual(["0", "0.4987", "-143.5", "1.2e-5", "–"]);
});

it("breaks lines at spaces", () => {
  expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
});

it("colours a terminal, and nothing under NO_COLOR or without one", () => {
  for (const [more, coloured] of [
    [{ isTTY: true }, true],
    [{ isTTY: true, env: { NO_COLOR: "1" } }, false],
    [{}, false],
  ] as const) {
    const { io, text } = recorder(more);
    new Console(io, { quiet: false }).fact("name", "value");
    expect(text().includes("\u001b[")).toBe(coloured);
  }
});

it("quiet keeps warnings only", () => {
  const { io, text } = recorder();
  const console = new Console(io, { quiet: true });
  console.line("a line");
  console.progress("work", "rows").update({ done: 2, total: 3 });
  console.warn("careful");
  expect(text()).toBe("warning: careful\n");
});

it("help says what each field means, once a group, with what is required and examples", async () => {
  const { stdout } = await kto(["train", "--help"]);
  expect(await kto(["help", "train"])).toEqual({ status: 0, stdout, stderr: "" });
  expect(stdout).toMatch(/^ {2}--model_name_or_path, --model {2}.*\n.*required$/m);
  expect(stdout).toMatch(/^ {2}--beta {2}a number above 0; default 0\.1\n {6}kto, dpo: how strongly the policy is held to its reference$/m);
  for (const heading of ["the model", "the data", "the loss", "batches", "the optimizer"]) expect(stdout).toContain(`\n${heading}:\n`);
  expect(stdout.match(/^ {4}kto train /gm)).toHaveLength(2);
  expect((await kto(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it("errors and help are as wide as a terminal, broken at blanks; a pipe has one line each", async () => {
  const narrow = { isTTY: true, columns: 50 };
  const errors = await kto(["train", "--beta", "0", "--model", "m", "--data", "d", "--use_peft"], { terminal: narrow });
  expect(errors.stderr.split("\n")).toEqual(["kto: error[CONFIG]: --beta: not usable; expected", "  a number above 0, got 0", ""]);
  for (const line of (await kto(["help", "score"], { terminal: narrow })).stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(50);
  expect((await kto(["train", "--beta", "0", "--model", "m", "--data", "d", "--use_peft"])).stderr.split("\n")).toHaveLength(2);
});

it("help fits 80 columns", async () => {
  for (const argv of [
    ["--help"],
    ["train", "--help"],
    ["data", "-h"],
    ["download", "-h"],
    ["push", "-h"],
    ["generate", "-h"],
    ["chat", "-h"],
    ["bench", "-h"],
  ]) {
    const { status, stdout, stderr } = await kto(argv);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  }
});

it("says how micro-batches go through the model, unless each does so in one pass of its own", () => {
  const bytes = { peakBytes: 3, budgetBytes: 8, residentBytes: 1, savedBytes: 1, workBytes: 1 };
  const described = (passes: { microBatchesPerPass: number; tokensPerPass: number; tokensTogether?: number }): string => {
    const { io, text } = recorder();
    describeMemory(new Console(io, { quiet: false }), {
      ...bytes,
      ...passes,
      checkpointedLayers: 0,
      numLayers: 28,
      largestMicroBatch: 4096,
    });
    return text().replace(/\s+/g, " ").split("in no layer")[1]!.trim();
  };
  expect(described({ microBatchesPerPass: 1, tokensPerPass: 4096 })).toBe("");
  expect(described({ microBatchesPerPass: 2, tokensPerPass: 4096 })).toBe("; up to 2 micro-batches go through in one pass");
  expect(described({ microBatchesPerPass: 2, tokensPerPass: 4096, tokensTogether: 8192 })).toMatch(/one pass, of 8,192 tokens at most$/);
  expect(described({ microBatchesPerPass: 1, tokensPerPass: 2048 })).toContain("more than 2,048 tokens go through in several passes");
});
