import { dirname } from "node:path";
import { excerpt } from "@kto/core";
import { parseRepoId } from "@kto/hub";
import { directory, type AdapterFiles, type ModelFiles } from "@kto/kit";
import {
  isHubId,
  openRunPushes,
  referenceFolder,
  rowIndexFolder,
  tokenCacheFolder,
  tokenFolder,
  tokenizeWorkers,
  type RunPushes,
} from "@kto/kit/node";
import type { DataRow, Dataset } from "@kto/datasets";
import type { CachedTokens, PrepareOptions, TokenCache, TrainingConfig } from "@kto/trainer";
import { defaultHubModelId, trainerArguments, type TrainConfig } from "../config/train-config.js";
import type { TrainValues } from "../config/train-fields.js";
import { readChatTemplate } from "../load/chat-template.js";
import { hubAccess, pushWay, type HubAccess } from "../load/hub-access.js";
import { findAdapter, findModel } from "../load/inputs.js";
import { runSamples, type RunSamples } from "../load/run-samples.js";
import { openEvalData, openTrainData } from "../load/train-data.js";
import { ConfigError } from "../errors.js";
import type { PreparedData } from "../methods/index.js";
import { formatBytes } from "../render/format.js";
import { LeftOutDisplay } from "../render/left-out.js";
import { preparingProgress } from "../render/staged-progress.js";
import { wantedCheckpoint, type WantedCheckpoint } from "../resume.js";
import type { CommandInput } from "./command.js";

/** What was read and found good before a device was opened. */
export interface Materials {
  config: TrainConfig;
  args: TrainingConfig;
  model: ModelFiles;
  /** The adapter to continue from. */
  adapter: AdapterFiles | undefined;
  hub: HubAccess;
  /** Where the run is pushed to, which was found to be allowed. */
  pushes: RunPushes | undefined;
  chatTemplate: string | undefined;
  prepared: { train: PreparedData; eval?: PreparedData };
  checkpoint: WantedCheckpoint | undefined;
  /** Where what the reference says of rows is kept. */
  referenceCache: TokenCache | undefined;
  /** What is answered before and after. */
  samples: RunSamples | undefined;
}

/** Fetches what is on the hub and reads everything that can be wrong before a device is opened. Writes nothing but the cache of the hub. */
export async function gather(config: TrainConfig, { io, console, ranks }: CommandInput): Promise<Materials> {
  const isFirst = ranks?.isFirst ?? true; // it alone writes
  const { method, values } = config;
  const args = method.config(trainerArguments(config));
  const resume = (values.resumeFromCheckpoint ?? false) !== false;
  const checkpoint = resume ? await wantedCheckpoint(values.resumeFromCheckpoint as true | string, values.outputDir) : undefined;
  // A checkpoint of another folder is a new run here: one that is here would be mixed with it.
  const resumes = resume && (checkpoint === undefined || checkpoint.isInOutput);
  if (isFirst) await directory(values.outputDir, { overwrite: values.overwriteOutputDir }).check({ resumes });
  if (resume && checkpoint === undefined) console.note(`${values.outputDir} has no checkpoint to resume from; starting at the beginning`);
  const hub = hubAccess(io, console);
  // What is small comes first: a misspelt file or split is not found out after gigabytes of weights.
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const onNote = (note: string): void => console.note(note);
  const cacheFolder = values.tokenCache === true ? tokenCacheFolder(io.env) : values.tokenCache;
  const reading = { onNote, rowIndex: cacheFolder === false ? undefined : rowIndexFolder(cacheFolder) };
  const trainData = await openTrainData(values, hub, reading);
  const evalData = await openEvalData(values, hub, reading);
  const adapter = values.adapterNameOrPath === null ? undefined : await findAdapter(values.adapterNameOrPath, hub);
  const pushes = values.pushToHub && isFirst ? await openPushes(config, hub, console) : undefined;
  const model = await findModel(values.modelNameOrPath, hub, console, {
    revision: revisionOf(values),
    prefer4bitCheckpoint: values.prefer4bitCheckpoint,
  });
  const prepare = async (dataset: Dataset<DataRow>, split: "train" | "eval"): Promise<PreparedData> => {
    const options = { maxLength: args.maxLength, tokenizer: model.tokenizer, chatTemplate, strict: values.strict, signal: io.signal };
    const tokens = tokenOptions(cacheFolder, values, onNote);
    using progress = preparingProgress(console, split === "train" ? "tokenizing" : "tokenizing eval data");
    const data = await method.prepare(dataset, { ...options, split, ...tokens, onProgress: progress.onProgress }, args);
    progress.stop();
    if (data.cache) sayWhereTokensAre(data.cache, console);
    return data;
  };
  const train = await prepare(trainData, "train");
  const prepared = { train, ...(evalData ? { eval: await prepare(evalData, "eval") } : {}) };
  const split = evalData ? "eval" : "train";
  const samples = isFirst ? runSamples({ values, args, model, chatTemplate, dataset: evalData ?? trainData, split }, onNote) : undefined;
  const referenceCache = cacheFolder === false ? undefined : referenceFolder(cacheFolder, { onNote });
  return { config, args, model, adapter, hub, pushes, chatTemplate, prepared, checkpoint, referenceCache, samples };
}

/** Where tokens are kept, and who makes them. */
function tokenOptions(
  folder: string | false,
  { datasetNumProc }: Pick<TrainValues, "datasetNumProc">,
  onNote: (note: string) => void,
): Pick<PrepareOptions, "cache" | "workers"> {
  return {
    ...(folder !== false && { cache: tokenFolder(folder, { onNote }) }),
    ...((datasetNumProc ?? 1) > 1 && { workers: tokenizeWorkers(datasetNumProc!) }),
  };
}

function sayWhereTokensAre({ place, byteLength, isHit }: CachedTokens, console: CommandInput["console"]): void {
  const where = `${dirname(place)}, ${formatBytes(byteLength)}`;
  console.fact("tokens", isHit ? `from the cache (${where}); what lies there may be removed` : `kept for the next run (${where})`);
}

/** `push_to_hub`: finds out whether it will be allowed, before weights are fetched and hours are spent. */
async function openPushes({ values }: TrainConfig, access: HubAccess, console: CommandInput["console"]): Promise<RunPushes> {
  const leftOut = new LeftOutDisplay(console);
  return openRunPushes(values.outputDir, {
    ...pushWay(access, values.hubToken),
    repo: values.hubModelId ?? defaultHubModelId(values),
    strategy: values.hubStrategy,
    alwaysPush: values.hubAlwaysPush,
    ...(values.hubPrivateRepo !== null && { private: values.hubPrivateRepo }),
    ...(values.hubRevision !== null && { revision: values.hubRevision }),
    onWarning: (warning) => console.warn(warning),
    onNote: (note) => console.note(note),
    onLeftOut: leftOut.show,
  });
}

/** `model_revision`. Throws ConfigError where the model's name holds another. */
function revisionOf({ modelNameOrPath: given, modelRevision: revision }: TrainValues): string {
  const named = isHubId(given) ? parseRepoId(given).revision : undefined;
  if (named === undefined || revision === "main" || named === revision) return revision;
  throw new ConfigError([
    `model_revision: ${given} names a revision too; expected one of the two, got ${excerpt(revision)} and ${excerpt(named)}; remove one`,
  ]);
}
