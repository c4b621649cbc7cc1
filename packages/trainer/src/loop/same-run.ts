import { RanksError } from "@kto/core";
import type { LoraConfig } from "@kto/lora";
import { checksum, type Device, type ParameterBucket } from "@kto/tensor";
import { sketchesOf, type RowSequence } from "../data/row-sequence.js";
import { rowLength, type SourceRow } from "../data/rows.js";
import { sequencesOf } from "../memory/passes.js";
import { ranksOf } from "./agreement.js";
import type { Collective } from "./collective.js";
import { canSum, digest, textSum } from "./file-sums.js";
import type { Method } from "./method.js";
import type { PlannedRun } from "./planned-run.js";
import type { RunSetting } from "./run-parts.js";

/** Rows whose contents are compared, evenly spread over the data; of the others only the lengths. */
const comparedRows = 4096;

/** Words of 32 bits in a SHA-256. */
const wordsOfSum = 8;

/** A run as the ranks of it compare it: what each is, and its sum, by name. */
export type RunSums = Readonly<Record<string, string>>;

/** Throws RanksError, on every rank the same, where the sums of the ranks differ: which ranks, and in what. */
export async function expectSameRun(collective: Collective, sums: RunSums): Promise<void> {
  const names = Object.keys(sums).sort();
  const own = (await Promise.all(names.map((name) => textSum(`${name}\n${sums[name]}`)))).flatMap(wordsOf);
  const ofRanks = await collective.gather(own);
  const [first] = ofRanks as [readonly number[]];
  const differences = names.flatMap((name, index) => {
    const part = (words: readonly number[]): string => words.slice(index * wordsOfSum, (index + 1) * wordsOfSum).join();
    const ranks = ofRanks.flatMap((words, rank) => (part(words) === part(first) ? [] : [rank]));
    return ranks.length === 0 ? [] : [{ name, ranks }];
  });
  const others = ofRanks.flatMap(({ length }, rank) => (length === first.length ? [] : [rank]));
  if (differences.length === 0 && others.length === 0) return;
  const ranks = [...new Set([...differences.flatMap((difference) => difference.ranks), ...others])].sort((a, b) => a - b);
  const what = differences.length > 0 ? inWords(differences) : ranksOf(others);
  throw new RanksError(
    {
      operation: "train",
      problem: `the ranks were not started with the same run: other than on rank 0 are ${what}`,
      expected: `the same on all ${collective.size} ranks`,
      advice: "start every rank with the same command, config, files and version",
    },
    { isUnlike: true, failures: ranks.map((rank) => ({ rank, text: what })) },
  );
}

/** `the model, the training data of rank 1; the checkpoint of ranks 1, 2`. */
function inWords(differences: readonly { name: string; ranks: readonly number[] }[]): string {
  const namesOf = new Map<string, string[]>();
  for (const { name, ranks } of differences) {
    const whose = ranksOf(ranks);
    namesOf.set(whose, [...(namesOf.get(whose) ?? []), name]);
  }
  return Array.from(namesOf, ([whose, names]) => `${names.join(", ")} of ${whose}`).join("; ");
}

/** What has to be the same on all ranks of a run. */
export async function sumsOfRun<Row extends SourceRow>(
  { counts, checkpoint }: PlannedRun,
  { method, args, model, policy, output }: Pick<RunSetting<Row>, "method" | "args" | "model" | "policy" | "output">,
  { rows, evalRows, agreeOn = {} }: { rows: RowSequence<Row>; evalRows: RowSequence<Row>; agreeOn?: RunSums | undefined },
): Promise<RunSums> {
  const base = await policy.base.fingerprint?.();
  return {
    ...agreeOn,
    "the method": method.name,
    "the arguments": JSON.stringify(args),
    "the number of rows": `${rows.length} ${evalRows.length} ${counts.totalUpdates}`,
    "the training data": await sumOfRows(method, rows),
    "the evaluation data": await sumOfRows(method, evalRows),
    "the model": base && canSum() ? await digest(base) : "",
    "the adapter's config": policy.isWholeModel ? "none" : adapterFacts(model.activeAdapter.config),
    "the weights to train": await sumOfBuckets(policy.device, policy.buckets),
    "the checkpoint": checkpoint ? `${checkpoint.name} ${checkpoint.state.seal ?? ""}` : "none",
    "whether there is an output": String(output !== undefined),
  };
}

/** What an adapter's config says of what it computes. The name of its base is the user's: the weights are compared. */
function adapterFacts({ baseModelNameOrPath: _name, ...config }: LoraConfig): string {
  return JSON.stringify(config);
}

/** Lengths of all rows, contents of some. */
async function sumOfRows<Row extends SourceRow>(method: Method<Row>, rows: RowSequence<Row>): Promise<string> {
  const sketchAt = sketchesOf(rows);
  const lengths = Uint32Array.from({ length: rows.length }, (_, index) =>
    sequencesOf(method.passes([sketchAt(index)])[0]).reduce((total, sequence) => total + rowLength(sequence), 0),
  );
  const stride = Math.max(1, rows.length / comparedRows);
  const contents = Array.from({ length: Math.min(rows.length, comparedRows) }, (_, index) => rows.at(Math.floor(index * stride)));
  return canSum() ? `${await digest(new Uint8Array(lengths.buffer))} ${await textSum(JSON.stringify(contents))}` : String(rows.length);
}

async function sumOfBuckets(device: Device, buckets: readonly ParameterBucket[]): Promise<string> {
  using sums = device.unscoped(() =>
    device.scope(() =>
      checksum(
        device,
        buckets.map(({ flat }) => flat),
      ),
    ),
  );
  return Array.from(await device.readBytes(sums), (byte) => byte.toString(16)).join();
}

/** The words of 32 bits of a sum in hex. */
function wordsOf(sum: string): number[] {
  return Array.from({ length: wordsOfSum }, (_, index) => Number.parseInt(sum.slice(8 * index, 8 * index + 8), 16));
}
