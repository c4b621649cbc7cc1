import { writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

const rows = fixturePath("kto", "rows.jsonl");

interface Report {
  counts: { source: number; prepared: number | null; dropped: number | null };
  samples: { tokens: { scored: boolean }[] }[];
  dropped: { index: number }[];
}

it("kto data says what the trainer will see", async () => {
  const { status, stdout } = await kto(["data", rows, "--model", fixturePath("model"), "--max_length", "128", "--head", "2", "--json"]);
  expect(status).toBe(0);
  const report = JSON.parse(stdout) as Report;
  expect(report.counts).toEqual({ source: 56, prepared: 54, dropped: 2 });
  expect(report.dropped.map(({ index }) => index)).toEqual([3, 5]);
  expect(report.samples).toHaveLength(2);
  expect(report.samples[0]!.tokens.filter(({ scored }) => scored)).toHaveLength(8);
});

it("shows it as text, with the scored tokens in brackets, within 80 columns", async () => {
  const { stdout } = await kto(["data", rows, "--model", fixturePath("model"), "--max_length", "128", "--head", "1"]);
  expect(stdout).toMatch(/56 in the file, 54 to train on, 2 dropped, 5 cut/);
  expect(stdout).toContain("[The]");
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});

it("renders without a model, with a template of its own", async () => {
  const { status, stdout, stderr } = await kto([
    "data",
    rows,
    "--template",
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}",
    "--head",
    "1",
  ]);
  expect(status).toBe(0);
  expect(stdout).toContain("<user>What is the capital of Bolivia?");
  expect(stderr).toContain("without --model");
});

it("renders with a template that is named, with a model and without, one called none included", async () => {
  const named = await kto(["data", rows, "--chat_template", "chatml", "--head", "1"]);
  expect(named.stdout).toContain("<|im_start|>user");
  expect(named.stdout).toContain("What is the capital of Bolivia?<|im_end|>");
  const none = await kto(["data", rows, "--chat_template", "none", "--head", "1"]);
  expect(none.stdout).toContain("What is the capital of Bolivia?");
  expect(none.stdout).not.toContain("<|user|>");
  const tokenized = await kto(["data", rows, "--model", fixturePath("model"), "--chat_template", "chatml", "--head", "1", "--json"]);
  const { samples } = JSON.parse(tokenized.stdout) as { samples: { promptText: string; completionText: string }[] };
  expect(samples[0]!.promptText).toMatch(
    /^<\|im_start\|>user\nWhat is the capital of Bolivia\?<\|im_end\|>\n.*<\|im_start\|>assistant\n$/s,
  );
  expect(samples[0]!.completionText).toBe("The answer is 18.<|im_end|>\n");
});

it("renders without a model and without a template", async () => {
  const { status, stdout } = await kto(["data", rows, "--head", "1"]);
  expect(status).toBe(0);
  expect(stdout).toContain("<|user|>");
  expect(stdout).toContain("<eos>");
});

it("shows for each method what it will score", async () => {
  const model = ["--model", fixturePath("model"), "--max_length", "128", "--head", "1"];
  const pairs = await kto(["data", fixturePath("dpo", "rows.jsonl"), "--method", "dpo", ...model]);
  expect(pairs.status).toBe(0);
  expect(pairs.stdout).toMatch(
    /50 in the file, 48 pairs to train on, 4 answers dropped, 10 cut\nidentical {3}0 with the same answer twice/,
  );
  expect(pairs.stdout).toMatch(/^row 0 · chosen · 28 tokens, 12 scored$/m);
  expect(pairs.stdout).toMatch(/^row 0 · rejected · 19 tokens, 3 scored$/m);
  const packed = await kto(["data", fixturePath("sft", "messages-rows.jsonl"), "--method", "sft", "--packing", ...model]);
  expect(packed.stdout).toMatch(/packed {6}\d+ rows of 49 documents \(bfd\)/);
  const chosen = await kto(["data", fixturePath("dpo", "rows.jsonl"), "--method", "sft", ...model, "--json"]);
  expect(chosen.stderr).toContain("of two answers the chosen one is trained on");
  expect(JSON.parse(chosen.stdout)).toMatchObject({ counts: { source: 50, prepared: 48, dropped: 2 }, packing: null });
  const unpaired = await kto(["data", fixturePath("dpo", "rows.jsonl"), ...model]);
  expect(unpaired.stderr).toContain("each pair is two rows: the chosen answer is desirable, the rejected one undesirable");
  for (const line of `${pairs.stdout}${packed.stdout}${unpaired.stdout}`.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});

it("checks rows of each method without a model", async () => {
  const text = await kto(["data", fixturePath("sft", "text-rows.jsonl"), "--method", "sft", "--head", "1"]);
  expect(text.stdout).toContain("Q: Which day comes after Thursday?");
  const chosen = await kto(["data", fixturePath("dpo", "rows.jsonl"), "--method", "sft", "--head", "1", "--json"]);
  expect((JSON.parse(chosen.stdout) as { samples: { texts: string[] }[] }).samples[0]!.texts).toHaveLength(1);
  const both = await kto(["data", fixturePath("dpo", "rows.jsonl"), "--method", "orpo", "--head", "1", "--json"]);
  expect((JSON.parse(both.stdout) as { samples: { texts: string[] }[] }).samples[0]!.texts).toHaveLength(2);
  expect((await kto(["data", rows, "--method", "dpo"])).stderr).toContain("there is no pair of answers");
});

it.each([40, 60, 80])(
  "in a terminal of %i columns all keeps to the window, the histogram and the balance of the classes too",
  async (columns) => {
    const terminal = { isTTY: true, columns };
    const argv = ["data", rows, "--model", fixturePath("model"), "--max_length", "128", "--head", "1"];
    const { stdout } = await kto(argv, { terminal, env: { NO_COLOR: "1" } });
    expect(stdout).not.toContain("\u001b");
    expect(stdout).toMatch(/35 desirable\s+█{10}░{6}\s+19\s+undesirable$/m);
    const bars = stdout.match(/^ +\d+–\d+ [█▏▎▍▌▋▊▉]* \d+$/gm)!;
    expect(bars.length).toBeGreaterThan(4);
    const longest = Math.max(...bars.map((line) => line.length));
    expect(longest).toBeLessThanOrEqual(columns);
    expect(longest).toBeGreaterThan(columns - 4);
  },
);

it("text of rows does not reach the terminal as commands to it, and a file gets it whole, without colours", async () => {
  using folder = temporaryFolder();
  const file = folder.file("rows.jsonl");
  writeFileSync(file, `${JSON.stringify({ prompt: "a\u001b[2Jb", completion: " c\u0007", label: true })}\n`);
  const argv = ["data", file, "--head", "1"];
  expect((await kto(argv, { terminal: { isTTY: true, columns: 80 }, env: { NO_COLOR: "1" } })).stdout).toContain("a\ufffd[2Jb c\ufffd");
  expect((await kto(argv)).stdout).toContain("a\u001b[2Jb c\u0007");
});
