import { existsSync, readFileSync } from "node:fs";
import { mpirun } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { ktoProgram } from "../testing/kto-program.js";
import { adapterOf, ktoRanks, losses, trainArguments } from "../testing/ranks-of-kto.js";
import { temporaryFolder } from "../testing/run-kto.js";

it.each([
  ["kto", 2, ["--loss_type", "kto"]],
  ["dpo", 3, []],
  ["sft", 2, ["--lora_dropout", "0"]], // which otherwise drops by the place of a row in its micro-batch
] as const)("%s on %i ranks comes to the same bytes twice, and but for KTO to what one rank comes to", async (method, size, others) => {
  using folder = temporaryFolder();
  const [a, b, alone] = [folder.file("a"), folder.file("b"), folder.file("alone")];
  const args = [...others, "--max_steps", "3", "--per_device_train_batch_size"];
  for (const out of [a, b]) {
    const outcome = await ktoRanks(size, trainArguments(method, out, [...args, "2"]), { folder: folder.path });
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(outcome.stdout.match(/^TrainOutput\(global_step=3, /gm)).toHaveLength(1); // rank 0 alone
    expect(outcome.stderr).toContain(`ranks      ${size} of `);
  }
  expect(losses(a)).toHaveLength(3);
  expect(losses(b)).toEqual(losses(a));
  expect(adapterOf(b)).toBe(adapterOf(a));
  if (method === "kto") return; // whose KL estimate is of each rank's own rows: held to float64 in the trainer
  const one = await ktoRanks(1, trainArguments(method, alone, [...args, String(2 * size)]), { folder: folder.path });
  expect(one.status, one.stderr).toBe(0);
  expect(one.stderr).not.toContain("ranks ");
  for (const [index, { loss, grad_norm }] of losses(a).entries()) {
    const expected = losses(alone)[index]!;
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
