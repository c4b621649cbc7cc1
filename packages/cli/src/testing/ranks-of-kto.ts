import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fixturePath, startRanks, type MpirunOutcome, type StartedRanks } from "@kto/testing/workspace";
import { expect, inject } from "vitest";

/** What a run of the tiny model is told besides its method. */
const shared = [
  ["--model", fixturePath("model"), "--device", "software", "--dtype", "float32", "--use_peft", "--max_length", "64"],
  ["--logging_steps", "1", "--learning_rate", "0.01", "--num_prompts", "0", "--save_strategy", "no"],
].flat();

const data: Readonly<Record<string, string>> = { kto: "kto/rows.jsonl", dpo: "dpo/rows.jsonl", sft: "sft/text-rows.jsonl" };

/** How ranks of kto are started. */
export interface RanksOfKto {
  /** The folder of the test, for output and caches. */
  folder: string;
  /** Options of mpirun. */
  options?: readonly string[];
  /** What starts mpirun. */
  launcher?: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  /** Where `kto` lies; by default the installation that tests share. */
  installation?: string;
}

/** What one of two ranks is started with. */
interface UnlikeRank {
  args: readonly string[];
  /** Where it is started. */
  folder?: string;
  installation?: string;
}

/** The command line of a run of the tiny model, without Node's part. */
export function trainArguments(method: string, out: string, args: readonly string[]): string[] {
  return [method, "--data", fixturePath(...data[method]!.split("/")), ...shared, "--output_dir", out, ...args];
}

const environment = ({ folder, env }: RanksOfKto): Record<string, string | undefined> => ({
  HF_HUB_OFFLINE: "1",
  HF_HOME: join(folder, "hub"),
  KTO_CACHE: join(folder, "cache"),
  ...env,
});

const programOf = (installation: string): string => join(installation, "dist", "bin.js");

/** Starts `kto` as `size` ranks, as it is where it was installed. */
export function startKto(size: number, args: readonly string[], given: RanksOfKto): StartedRanks {
  const { installation = inject("installedKto"), options = [], launcher = ["mpirun"] } = given;
  return startRanks(size, [programOf(installation), ...args], { options, launcher, nodeOptions: [], env: environment(given) });
}

/** Runs `kto` as `size` ranks. */
export function ktoRanks(size: number, args: readonly string[], given: RanksOfKto): Promise<MpirunOutcome> {
  return startKto(size, args, given).ended;
}

/** Runs `kto` as two ranks that are started with different things: other arguments, another working folder, another installation. */
export function unlikeRanks([first, second]: readonly [UnlikeRank, UnlikeRank], given: RanksOfKto): Promise<MpirunOutcome> {
  const { args, installation = inject("installedKto"), folder = given.folder } = second;
  const other = [":", "-n", "1", "-wdir", folder, process.execPath, programOf(installation), ...args];
  const options = ["-wdir", first.folder ?? given.folder];
  return ktoRanks(1, [...first.args, ...other], { ...given, options });
}

/** The processes that a rank's mpirun has started, by rank. */
export function pidsOf({ process: { pid } }: StartedRanks): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

/** Waits until a run has logged an update. */
export async function logged(folder: string, step: number): Promise<void> {
  const path = join(folder, "metrics.jsonl");
  while (!existsSync(path) || !readFileSync(path, "utf8").includes(`"step":${step},`)) await setTimeout(20);
}

/** What a run logged at each update, but for times. */
export function losses(folder: string): { step: number; loss: number; grad_norm: number }[] {
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trim().split("\n");
  return lines.map((line) => {
    const { step, loss, grad_norm } = JSON.parse(line) as { step: number; loss: number; grad_norm: number };
    return { step, loss, grad_norm };
  });
}

/** Expects the logs of two runs to be the same but for the rounding of f32. */
export function expectAlike(logs: ReturnType<typeof losses>, others: ReturnType<typeof losses>): void {
  expect(logs.length).toBe(others.length);
  for (const [index, { loss, grad_norm }] of logs.entries()) {
    const other = others[index]!;
    expect(Math.abs(loss - other.loss)).toBeLessThan(1e-5);
    expect(Math.abs(grad_norm / other.grad_norm - 1)).toBeLessThan(1e-4);
  }
}

/** The bytes of the adapter that a run left. */
export function adapterOf(folder: string): string {
  return readFileSync(join(folder, "adapter_model.safetensors")).toString("base64");
}
