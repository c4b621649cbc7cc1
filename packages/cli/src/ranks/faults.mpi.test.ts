import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ktoRanks, logged, pidsOf, startKto, trainArguments } from "../testing/ranks-of-kto.js";
import { temporaryFolder } from "../testing/run-kto.js";

const steps = (count: number): string[] => ["--max_steps", String(count), "--per_device_train_batch_size", "2"];

it.each([
  ["Ctrl-C on mpirun", "SIGINT", ["--mca", "odls_base_sigkill_timeout", "6"]],
  ["SIGUSR2 to mpirun", "SIGUSR2", []],
] as const)("%s writes one checkpoint, with the setting that gives ranks the time", async (_, signal, options) => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const ranks = startKto(2, trainArguments("kto", out, [...steps(5000), "--save_strategy", "no"]), { folder: folder.path, options });
  await logged(out, 2);
  ranks.process.kill(signal);
  const { status, stderr } = await ranks.ended;
  if (signal === "SIGUSR2") expect(status).toBe(130); // interrupted itself, mpirun has a status of its own
  expect(stderr.match(/stopping in good order/g)).toHaveLength(1);
  expect(stderr.match(/kto: interrupted after update (\d+); the checkpoint is in /g)).toHaveLength(1);
  const step = Number(/interrupted after update (\d+)/.exec(stderr)![1]);
  const state = JSON.parse(readFileSync(folder.file("out", `checkpoint-${step}`, "trainer_state.json"), "utf8")) as { global_step: number };
  expect(state.global_step).toBe(step);
  expect(stderr.includes("note: Ctrl-C: mpirun kills")).toBe(options.length === 0);
});

it("a signal to one rank stops all after the same update", async () => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const ranks = startKto(3, trainArguments("sft", out, [...steps(5000), "--save_strategy", "no"]), { folder: folder.path });
  await logged(out, 2);
  process.kill(pidsOf(ranks)[2]!, "SIGTERM");
  const { status, stderr } = await ranks.ended;
  expect(status).toBe(130);
  expect(stderr.match(/kto: interrupted after update \d+; the checkpoint is in /g)).toHaveLength(1);
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("not run: a full disk on rank 0 (wants root)");
it.runIf(isRoot)("a full disk on rank 0 ends all with one message, which says how to go on", async () => {
  using folder = temporaryFolder();
  const disk = folder.file("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=400k", "none", disk]);
  try {
    const args = [...steps(200), "--save_strategy", "steps", "--save_steps", "2"];
    const { status, stderr } = await ktoRanks(2, trainArguments("kto", `${disk}/out`, args), { folder: folder.path });
    expect(status).toBe(1);
    const errors = stderr.split("\n").filter((line) => line.startsWith("kto: error["));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^kto: error\[WRITE\]: rank 0 of 2 \(.+\): .*ENOSPC/);
  } finally {
    execFileSync("umount", [disk]);
  }
});
