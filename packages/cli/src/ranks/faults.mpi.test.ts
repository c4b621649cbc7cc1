import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { adapterOf, ktoRanks, logged, losses, pidsOf, startKto, trainArguments } from "../testing/ranks-of-kto.js";
import { temporaryFolder } from "../testing/run-kto.js";

const steps = (count: number): string[] => ["--max_steps", String(count), "--per_device_train_batch_size", "2"];

it("kill -9 of one rank ends all, and the run goes on from its last checkpoint to the bytes of one that was left alone", async () => {
  using folder = temporaryFolder();
  const [killed, whole] = [folder.file("killed"), folder.file("whole")];
  const args = [...steps(12), "--save_strategy", "steps", "--save_steps", "2"];
  const ranks = startKto(2, trainArguments("kto", killed, args), { folder: folder.path });
  await logged(killed, 3);
  process.kill(pidsOf(ranks)[1]!, "SIGKILL");
  const { status, stderr } = await ranks.ended;
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/rank 1 .*exited on signal 9/s); // mpirun's words
  const resumed = await ktoRanks(2, trainArguments("kto", killed, [...args, "--resume_from_checkpoint", "true"]), { folder: folder.path });
  expect(resumed.status, resumed.stderr).toBe(0);
  expect(resumed.stderr).toMatch(/going on from checkpoint-\d+/);
  const undisturbed = await ktoRanks(2, trainArguments("kto", whole, args), { folder: folder.path });
  expect(undisturbed.status, undisturbed.stderr).toBe(0);
  expect(losses(killed)).toEqual(losses(whole));
  expect(adapterOf(killed)).toBe(adapterOf(whole));
});

it.each([
  ["Ctrl-C on mpirun", "SIGINT", ["--mca", "odls_base_sigkill_timeout", "12"]],
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

it("a rank that stands still is waited for, at no cost to the others' processors", async () => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const ranks = startKto(2, trainArguments("kto", out, steps(30)), { folder: folder.path });
  await logged(out, 2);
  const [first, second] = pidsOf(ranks);
  process.kill(second!, "SIGSTOP");
  await setTimeout(1500); // the first comes to the next sum
  const before = processorSeconds(first!);
  await setTimeout(4000);
  const spent = processorSeconds(first!) - before;
  process.kill(second!, "SIGCONT");
  const { status, stderr } = await ranks.ended;
  expect(status, stderr).toBe(0);
  expect(losses(out)).toHaveLength(30);
  expect(spent).toBeLessThan(1.2); // of four seconds
});

it.runIf(process.getuid?.() === 0)("a full disk on rank 0 ends all with one message, which says how to go on", async () => {
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

/** Processor time of a process so far; its own threads and those of its device. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
