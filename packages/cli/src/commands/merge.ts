import { realpathSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { excerpt } from "@kto/core";
import type { Values } from "@kto/core/config";
import { folderStore } from "@kto/core/node";
import { mergeModel, type AdapterFiles, type MergedModelFiles, type ModelFiles, type WeightedAdapter } from "@kto/kit";
import { commandValues, expectNoOperands, withHome } from "../config/check-command.js";
import { mergeFields } from "../config/merge-fields.js";
import { ConfigError, exitStatus, interruption } from "../errors.js";
import { hubAccess } from "../load/hub-access.js";
import { findAdapter, findModel } from "../load/inputs.js";
import { formatBytes, formatCounted, formatNumber } from "../render/format.js";
import { StagedProgress } from "../render/staged-progress.js";
import type { Command, CommandInput } from "./command.js";

type MergeValues = Values<typeof mergeFields>;

/** Dtypes by the names that transformers gives them. */
const dtypes = { float32: "f32", float16: "f16", bfloat16: "bf16", nf4: "nf4" } as const;

export const mergeCommand: Command = {
  name: "merge",
  summary: "one checkpoint of a model and an adapter",
  usage: "kto merge --model M --adapter A [--adapter B --weights 0.7,0.3] [--base M16] --out DIR --dtype float16|bfloat16|float32|nf4",
  examples: [
    ["kto merge --model Qwen/Qwen2-0.5B --adapter outputs --out merged --dtype bfloat16", "a model that transformers and kto load"],
    [
      "kto merge --model owner/name-bnb-4bit --base owner/name --adapter outputs --out merged",
      "an adapter of a four-bit model, added to the 16-bit one",
    ],
  ],
  fields: mergeFields,
  run: runMerge,
};

async function runMerge(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const values = commandValues("merge", mergeFields, input, expectNoOperands("merge", input.operands));
  const weights = weightsOf(values);
  const out = outFolder(withHome(values.out, io.env));
  const access = hubAccess(io, console);
  const adapters: WeightedAdapter[] = [];
  for (const [index, place] of values.adapters.entries())
    adapters.push({ files: await findAdapter(place, access), weight: weights?.[index] });
  const files = await findModel(values.model, access, console);
  const base = values.base === null ? undefined : await findModel(values.base, access, console);
  describeInput(input, files, base, adapters);

  const merged = await write(out, values, { files, base, adapters }, input);
  describeMerged(input, merged, out);
  const paths = merged.files.map((name) => join(values.out, name));
  io.stdout.write(options.json ? `${JSON.stringify({ files: paths, bytes: merged.bytes })}\n` : `${values.out}\n`);
  return exitStatus.done;
}

/** Throws ConfigError where there are not as many weights as adapters. */
function weightsOf({ weights, adapters }: MergeValues): readonly number[] | undefined {
  if (weights === null) return undefined;
  const list = [weights].flat();
  if (list.length === adapters.length) return list;
  throw new ConfigError([
    `--weights: not as many as there are adapters; expected ${adapters.length}, got ${list.length} (${list.join(", ")}); give one for each --adapter`,
  ]);
}

/** The folder to write, without links. Throws ConfigError for one that holds something, for what is no folder, and for the folder that the command was started in. */
function outFolder(given: string): string {
  const stats = statSync(given, { throwIfNoEntry: false });
  if (stats && !stats.isDirectory())
    throw new ConfigError([`--out: ${given} is a file; expected a folder that is not there yet, or empty; choose another path`]);
  const path = stats ? realpathSync(given) : resolve(given);
  const [found] = stats ? readdirSync(path) : [];
  if (found !== undefined)
    throw new ConfigError([
      `--out: ${given} is not empty; expected a new or an empty folder, got one with ${excerpt(found)}; choose another`,
    ]);
  if (stats && path === realpathSync("."))
    throw new ConfigError([
      `--out: ${given} is the folder that you are in, which is replaced when all is written; expected another; name one inside`,
    ]);
  return path;
}

/** Writes beside the folder, which is there when all of it is: a process that is killed leaves nothing that looks like a model. */
async function write(
  out: string,
  { dtype, maxShardSize }: MergeValues,
  { files, base, adapters }: { files: ModelFiles; base: ModelFiles | undefined; adapters: readonly WeightedAdapter[] },
  input: CommandInput,
): Promise<MergedModelFiles> {
  const { io, console } = input;
  using progress = new StagedProgress(console, { scales: ["measuring", "layers"], weights: ["merging", "bytes"] });
  let merged: MergedModelFiles | undefined;
  try {
    await folderStore(dirname(out)).writeFolder(basename(out), async (folder) => {
      merged = await mergeModel(
        files,
        adapters,
        { ...folder, name: out },
        {
          base,
          dtype: dtype === null ? undefined : dtypes[dtype],
          maxShardBytes: maxShardSize ?? undefined,
          signal: io.signal,
          onPlan: () => input.begin(),
          onProgress: progress.onProgress,
        },
      );
    });
  } catch (error) {
    throw interruption(error, io.signal, "interrupted; nothing was written");
  }
  return merged!;
}

function describeInput(
  { console }: CommandInput,
  files: ModelFiles,
  base: ModelFiles | undefined,
  adapters: readonly WeightedAdapter[],
): void {
  console.fact("model", files.name);
  if (base) console.fact("base", `${base.name}: its weights are what the adapters are added to`);
  for (const { files: adapter, weight } of adapters)
    console.fact("adapter", `${adapter.name}${weight === undefined ? "" : `, times ${weight}`}${trainedOn(adapter)}`);
  if (adapters.length > 1)
    console.note("several adapters add up, each product B·A times its scale and weight: peft's combination_type cat");
}

function trainedOn({ config: { baseModelNameOrPath: name } }: AdapterFiles): string {
  return name === null ? "" : `, trained on ${name}`;
}

const baseTexts = {
  plain: "the model's weights",
  nf4: "the model's four-bit weights, dequantised: what the adapter was trained on; --base takes the 16-bit model instead",
  base16: "the weights of --base, in 16 bits",
} as const;

function describeMerged({ console }: CommandInput, { files, bytes, base, dtype, loss, tokenizer }: MergedModelFiles, out: string): void {
  console.fact("added to", baseTexts[base]);
  const names = { f32: "float32", f16: "float16", bf16: "bfloat16" };
  console.fact(
    "written",
    `${formatCounted(files.length, "file")}, ${formatBytes(bytes)}, ${loss ? `nf4, the rest ${names[dtype]}` : names[dtype]}, to ${out}`,
  );
  const whose = {
    given: "as given",
    adapter: "the adapter's, with the template that it was trained with",
    model: "the model's",
    base: "that of --base",
  };
  console.fact("tokenizer", tokenizer === undefined ? "none" : whose[tokenizer]);
  if (!loss) return;
  console.warn(
    `merged into four bits: quantising the sums again changed them by ${formatNumber(100 * loss.relativeError, 3)} % of their size (${formatNumber(loss.error, 3)} root mean square), where the adapters had changed them by ${formatNumber(loss.change, 3)}; compare with a merge in 16 bits before you trust it`,
  );
}
