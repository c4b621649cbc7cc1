import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fixturePath, mpirun } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { ktoProgram } from "../testing/kto-program.js";
import { adapterOf, ktoRanks, losses, trainArguments } from "../testing/ranks-of-kto.js";
import { temporaryFolder } from "../testing/run-kto.js";

it.each([
  ["kto", 2, ["--loss_type", "kto"]],
  ["dpo", 3, []],
  ["sft", 2, []],
] as const)("%s on %i ranks comes to the same bytes twice", async (method, size, args) => {
  using folder = temporaryFolder();
  const runs = ["a", "b"].map((name) => folder.file(name));
  for (const out of runs) {
    const outcome = await ktoRanks(size, trainArguments(method, out, ["--max_steps", "3", "--per_device_train_batch_size", "2", ...args]), {
      folder: folder.path,
    });
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(outcome.stdout.match(/^TrainOutput\(global_step=3, /gm)).toHaveLength(1); // rank 0 alone
    expect(outcome.stderr).toContain(`ranks      ${size} of `);
  }
  const [a, b] = runs;
  expect(losses(a!)).toHaveLength(3);
  expect(losses(b!)).toEqual(losses(a!));
  expect(adapterOf(b!)).toBe(adapterOf(a!));
});

it.each([
  ["dpo", []],
  ["sft", ["--lora_dropout", "0"]], // which otherwise drops by the place of a row in its micro-batch
] as const)("two ranks with a batch of one are one rank with a batch of two, but for rounding: %s", async (method, others) => {
  using folder = temporaryFolder();
  const [one, two] = [folder.file("one"), folder.file("two")];
  const args = [...others, "--max_steps", "3", "--per_device_train_batch_size"];
  const alone = await ktoRanks(1, trainArguments(method, one, [...args, "2"]), { folder: folder.path });
  expect(alone.status, alone.stderr).toBe(0);
  expect(alone.stderr).not.toContain("ranks ");
  const both = await ktoRanks(2, trainArguments(method, two, [...args, "1"]), { folder: folder.path });
  expect(both.status, both.stderr).toBe(0);
  for (const [index, { loss, grad_norm }] of losses(two).entries()) {
    const expected = losses(one)[index]!;
    expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
    expect(Math.abs(grad_norm / expected.grad_norm - 1)).toBeLessThan(1e-4);
  }
});

it("ranks that were started with different configs are refused, each field with both values, before anything is written", async () => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const node = (args: readonly string[]): string[] => [process.execPath, ...ktoProgram, ...trainArguments("kto", out, args)];
  const second = [":", "-n", "1", ...node(["--beta", "0.2", "--max_steps", "7"])];
  const { status, stderr } = await mpirun(1, [...ktoProgram.slice(2), ...trainArguments("kto", out, []), ...second], {
    env: { KTO_CACHE: folder.file("cache") },
  });
  expect(status).toBe(2);
  const errors = stderr.split("\n").filter((line) => line.startsWith("kto: error["));
  expect(errors).toHaveLength(2);
  expect(errors.find((line) => line.includes("max_steps"))).toMatch(
    /^kto: error\[CONFIG\]: max_steps: ranks differ; expected -1 as on rank 0 \(.+\), got 7 on rank 1 of 2 \(.+\); start all ranks/,
  );
  expect(errors.find((line) => line.includes("beta"))).toMatch(/^kto: error\[CONFIG\]: beta: ranks differ; expected 0\.1 as on rank 0/);
  expect(existsSync(out)).toBe(false);
});

it("ranks that find other rows under the same path are refused, by what they hold", async () => {
  using folder = temporaryFolder();
  const rows = readFileSync(fixturePath("kto", "rows.jsonl"), "utf8");
  for (const [name, text] of Object.entries({ a: rows, b: rows.replace("true", "false") })) {
    mkdirSync(folder.file(name));
    writeFileSync(folder.file(name, "rows.jsonl"), text);
  }
  const out = folder.file("out");
  const given = [...trainArguments("kto", out, ["--max_steps", "1"]), "--data", "rows.jsonl"];
  const second = [":", "-n", "1", "-wdir", folder.file("b"), process.execPath, ...ktoProgram, ...given];
  const { status, stderr } = await mpirun(1, [...ktoProgram.slice(2), ...given, ...second], {
    options: ["-wdir", folder.file("a")],
    env: { KTO_CACHE: folder.file("cache") },
  });
  expect(status, stderr).not.toBe(0);
  expect(stderr).toMatch(/^kto: error\[RANKS\]: .*rows/m);
  expect(existsSync(out)).toBe(false);
});

it("a mistake that every rank finds is said once, and ends all with status 2", async () => {
  using folder = temporaryFolder();
  const { status, stderr } = await ktoRanks(2, trainArguments("kto", folder.file("out"), ["--beta", "-1"]), { folder: folder.path });
  expect(status).toBe(2);
  const errors = stderr.split("\n").filter((line) => line.startsWith("kto: "));
  expect(errors).toEqual([expect.stringMatching(/^kto: error\[CONFIG\]: .*beta/)]);
});

it("several ranks without libmpi are an error of status 2, and never several runs in one folder", async () => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const env = { KTO_LIBMPI: folder.file("libmpi.so") };
  const { status, stderr } = await ktoRanks(2, trainArguments("kto", out, []), { folder: folder.path, env });
  expect(status).toBe(2);
  expect(stderr.match(/kto: error\[CAPABILITY\]: mpi: there is no libmpi; .*install it/g)).toHaveLength(1);
  expect(existsSync(out)).toBe(false);
});

it("rank 0 alone leaves files, and says who trained", async () => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const args = ["--max_steps", "1", "--per_device_train_batch_size", "2", "--save_strategy", "steps", "--report_to", "tensorboard"];
  const { status, stderr } = await ktoRanks(2, trainArguments("kto", out, [...args, "--logging_dir", folder.file("events")]), {
    folder: folder.path,
  });
  expect(status, stderr).toBe(0);
  expect(stderr.match(/checkpoint: /g)).toHaveLength(1);
  expect(stderr).toContain("plan       1 update of 2 rows × 1 micro-batch × 2 ranks");
  expect(readFileSync(folder.file("out", "metrics.jsonl"), "utf8").trim().split("\n")).toHaveLength(1);
});
