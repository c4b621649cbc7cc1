import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  adapterOf,
  expectAlike,
  ktoRanks,
  logged,
  losses,
  pidsOf,
  startKto,
  trainArguments,
  unlikeRanks,
} from "../testing/ranks-of-kto.js";
import { temporaryFolder } from "../testing/run-kto.js";
import { lacksForTwoMachines, TwoMachines } from "../testing/two-machines.js";

const shared = temporaryFolder();
afterAll(() => shared[Symbol.dispose]());

/** A run that tests compare others with: args of the command, and how many ranks. */
async function run(method: string, name: string, size: number, args: readonly string[]): Promise<{ out: string; stderr: string }> {
  const out = shared.file(name);
  const { status, stdout, stderr } = await ktoRanks(size, trainArguments(method, out, args), { folder: shared.path });
  expect(status, stderr).toBe(0);
  expect(stdout.match(/^TrainOutput\(global_step=/gm)).toHaveLength(1); // rank 0 alone
  return { out, stderr };
}

const rows = (count: number): string[] => ["--per_device_train_batch_size", String(count)];

it("DPO on three ranks comes to the same bytes twice, and to what one rank comes to but for rounding", async () => {
  const args = ["--max_steps", "3"];
  const [a, b] = [await run("dpo", "dpo-a", 3, [...args, ...rows(2)]), await run("dpo", "dpo-b", 3, [...args, ...rows(2)])];
  expect(a.stderr).toContain("ranks      3 of ");
  expect(losses(a.out)).toHaveLength(3);
  expect(losses(b.out)).toEqual(losses(a.out));
  expect(adapterOf(b.out)).toBe(adapterOf(a.out));
  const alone = await run("dpo", "dpo-alone", 1, [...args, ...rows(6)]);
  expect(alone.stderr).not.toContain("ranks ");
  expectAlike(losses(a.out), losses(alone.out));
});

describe("SFT on two ranks", () => {
  const args = ["--lora_dropout", "0", "--max_steps", "30"]; // which otherwise drops by the place of a row in its micro-batch
  let whole: string;
  beforeAll(async () => void (whole = (await run("sft", "sft", 2, [...args, ...rows(2)])).out));

  it("comes to what one rank comes to, but for rounding", async () => {
    const alone = await run("sft", "sft-alone", 1, [...args, ...rows(4)]);
    expectAlike(losses(whole).slice(0, 3), losses(alone.out).slice(0, 3));
  });

  it("a rank that stands still, and then is ten times slower, is waited for, at no cost to the others' processors, and nothing comes out otherwise", async () => {
    const out = shared.file("sft-still");
    const ranks = startKto(2, trainArguments("sft", out, [...args, ...rows(2)]), { folder: shared.path });
    await logged(out, 2);
    const [first, second] = pidsOf(ranks);
    process.kill(second!, "SIGSTOP");
    await setTimeout(1500); // the first comes to the next sum
    const before = processorSeconds(first!);
    await setTimeout(2000);
    const spent = processorSeconds(first!) - before;
    process.kill(second!, "SIGCONT");
    for (let time = 0; time < 2; time++) {
      await setTimeout(130); // a tenth of the time that it stands still: it is ten times slower
      process.kill(second!, "SIGSTOP");
      await setTimeout(1200);
      process.kill(second!, "SIGCONT");
    }
    const { status, stderr } = await ranks.ended;
    expect(status, stderr).toBe(0);
    expect(spent).toBeLessThan(0.6); // of two seconds
    expect(losses(out)).toEqual(losses(whole));
    expect(adapterOf(out)).toBe(adapterOf(whole));
  });

  const lacking = lacksForTwoMachines();
  if (lacking !== undefined) console.warn(`not run: a network that drops (wants ${lacking})`);
  it.skipIf(lacking !== undefined)("on two machines whose network drops comes to the same bytes", async () => {
    using machines = new TwoMachines(shared.path);
    const out = shared.file("sft-drop");
    const { options, launcher } = machines;
    const ranks = startKto(2, trainArguments("sft", out, [...args, ...rows(2)]), { folder: shared.path, options, launcher });
    await logged(out, 2);
    machines.connect(false);
    await setTimeout(500); // what is under way ends
    const before = losses(out).length;
    await setTimeout(3000);
    const during = losses(out).length - before;
    machines.connect(true);
    const { status, stderr } = await ranks.ended;
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("ranks      2 on 2 machines");
    expect(before).toBeLessThan(30); // there was something left to do
    expect(during).toBeLessThanOrEqual(1);
    expect(losses(out)).toEqual(losses(whole));
    expect(adapterOf(out)).toBe(adapterOf(whole));
  });
});

describe("KTO on two ranks", () => {
  const args = ["--max_steps", "12", "--save_strategy", "steps", "--save_steps", "2", ...rows(2)];
  let whole: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    whole = await run("kto", "kto", 2, [...args, "--report_to", "tensorboard", "--logging_dir", shared.file("events")]);
  });

  it("has rank 0 alone leave files, and says who trained", () => {
    expect(whole.stderr.match(/checkpoint: /g)).toHaveLength(6);
    expect(whole.stderr).toContain("plan       12 updates of 2 rows × 1 micro-batch × 2 ranks");
    expect(losses(whole.out).map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
    expect(readdirSync(shared.file("events"))).toHaveLength(1);
  });

  it("kill -9 of one rank ends all, and the run goes on from its last checkpoint to the same bytes", async () => {
    const killed = shared.file("kto-killed");
    const ranks = startKto(2, trainArguments("kto", killed, args), { folder: shared.path });
    await logged(killed, 3);
    process.kill(pidsOf(ranks)[1]!, "SIGKILL");
    const { status, stderr } = await ranks.ended;
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/rank 1 .*exited on signal 9/s); // mpirun's words
    const resumed = await run("kto", "kto-killed", 2, [...args, "--resume_from_checkpoint", "true"]);
    expect(resumed.stderr).toMatch(/going on from checkpoint-\d+/);
    expect(losses(killed)).toEqual(losses(whole.out));
    expect(adapterOf(killed)).toBe(adapterOf(whole.out));
  });

  it("is refused in one line, before anything is written, where files under the same names hold other things", async () => {
    const [first, second] = [shared.file("first"), shared.file("second")] as const;
    for (const place of [first, second]) {
      cpSync(whole.out, `${place}/out`, { recursive: true });
      cpSync(whole.out, `${place}/adapter`, { recursive: true, filter: (from) => !from.includes("checkpoint-") });
      cpSync(fixturePath("model"), `${place}/model`, { recursive: true });
      cpSync(fixturePath("kto", "rows.jsonl"), `${place}/rows.jsonl`);
    }
    changeFile(`${second}/rows.jsonl`, (text) => text.replace('"label": true', '"label": false'));
    changeFile(`${second}/adapter/adapter_config.json`, (text) => text.replace(/"lora_alpha": \d+/, '"lora_alpha": 3'));
    for (const file of ["model/model.safetensors", "adapter/adapter_model.safetensors"]) changeLastByte(`${second}/${file}`);
    rmSync(`${second}/out/checkpoint-12`, { recursive: true });
    const given = ["--model", "model", "--data", "rows.jsonl", "--adapter_name_or_path", "adapter", "--resume_from_checkpoint", "true"];
    const told = trainArguments("kto", "out", [...args, ...given, "--desirable_weight", "0.6"]); // without a warning of the rows
    const before = [first, second].map(filesIn);
    const ranks = [{ args: told, folder: first }, { args: told, folder: second }] as const; // prettier-ignore
    const { status, stderr } = await unlikeRanks(ranks, { folder: shared.path });
    expect(status, stderr).toBe(2);
    const differing = "the adapter's config, the checkpoint, the model, the training data, the weights to train of rank 1";
    expect(stderr.split("\n").filter((line) => /^(kto|warning):/.test(line))).toEqual([
      `kto: error[RANKS]: train: the ranks were not started with the same run: other than on rank 0 are ${differing}; expected the same on all 2 ranks; start every rank with the same command, config, files and version`,
    ]);
    expect([first, second].map(filesIn)).toEqual(before);
  });
});

function changeFile(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, "utf8");
  expect(change(text)).not.toBe(text);
  writeFileSync(path, change(text));
}

function changeLastByte(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
}

const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

/** Processor time of a process so far; its own threads and those of its device. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
