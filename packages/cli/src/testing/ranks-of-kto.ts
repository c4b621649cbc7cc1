import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fixturePath, mpirun, startRanks, type MpirunOutcome, type StartedRanks } from "@kto/testing/workspace";
import { ktoProgram } from "./kto-program.js";

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
  env?: Readonly<Record<string, string | undefined>>;
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

const nodeArguments = ktoProgram.filter((argument) => !argument.startsWith("--"));

/** Starts `kto` as `size` ranks. */
export function startKto(size: number, args: readonly string[], given: RanksOfKto): StartedRanks {
  return startRanks(size, [...nodeArguments, ...args], { options: given.options ?? [], env: environment(given) });
}

/** Runs `kto` as `size` ranks. */
export function ktoRanks(size: number, args: readonly string[], given: RanksOfKto): Promise<MpirunOutcome> {
  return mpirun(size, [...nodeArguments, ...args], { options: given.options ?? [], env: environment(given) });
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

/** The bytes of the adapter that a run left. */
export function adapterOf(folder: string): string {
  return readFileSync(join(folder, "adapter_model.safetensors")).toString("base64");
}
