import { readAdapterConfig } from "@kto/lora/node";
import type { DataRow, Dataset } from "@kto/datasets";
import { ktoConfig, prepareKtoDataset, type KTOConfig, type PreparedKtoDataset, type Tokenizer } from "@kto/trainer";
import { trainerArguments, type TrainConfig } from "../config/train-config.js";
import type { TrainValues } from "../config/train-fields.js";
import { openData, openDataFile, readChatTemplate } from "../load/data-file.js";
import { hubAccess, type HubAccess } from "../load/hub-access.js";
import { adapterPath, modelPath } from "../load/hub-model.js";
import { openModelFolder, openTokenizer, type ModelFolder } from "../load/model-folder.js";
import { findCheckpoint, type FoundCheckpoint } from "../resume.js";
import { RunFolder } from "../run-folder.js";
import type { CommandInput } from "./command.js";

/** What was read and found good before a device was opened. */
export interface Materials {
  config: TrainConfig;
  args: Partial<KTOConfig>;
  folder: ModelFolder;
  /** Folder of the adapter to continue from. */
  adapter: string | undefined;
  hub: HubAccess;
  tokenizer: Tokenizer | undefined;
  chatTemplate: string | undefined;
  prepared: { train: PreparedKtoDataset; eval?: PreparedKtoDataset };
  checkpoint: FoundCheckpoint | undefined;
}

/** Fetches what is on the hub and reads everything that can be wrong before a device is opened. Writes nothing but the cache of the hub. */
export async function gather(config: TrainConfig, { io, console }: CommandInput): Promise<Materials> {
  const { values } = config;
  const args = trainerArguments(values);
  ktoConfig(args);
  const resume = (values.resumeFromCheckpoint ?? false) !== false;
  await RunFolder.check(values.outputDir, { overwrite: values.overwriteOutputDir, resume });
  const checkpoint = resume ? await findCheckpoint(values.resumeFromCheckpoint as true | string, values.outputDir) : undefined;
  if (resume && checkpoint === undefined)
    console.line(`note: ${values.outputDir} has no checkpoint to resume from; starting at the beginning`);
  const hub = hubAccess(io, console);
  // What is small comes first: a misspelt file or split is not found out after gigabytes of weights.
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const trainData = await openTrainData(values, hub);
  const evalData = await openEvalData(values, hub);
  const adapter = values.adapterNameOrPath === null ? undefined : await adapterPath(values.adapterNameOrPath, hub);
  if (adapter !== undefined) await readAdapterConfig(adapter);
  const folder = await openModelFolder(
    await modelPath(values.modelNameOrPath, hub, console, {
      revision: values.modelRevision,
      preferFourBit: values.prefer4bitCheckpoint,
    }),
  );
  const tokenizer = await openTokenizer(folder.path);
  const prepare = async (dataset: Dataset<DataRow>, name: string): Promise<PreparedKtoDataset> => {
    const progress = console.progress(name, 100);
    try {
      return await prepareKtoDataset(dataset, {
        maxLength: values.maxLength,
        perDeviceTrainBatchSize: values.perDeviceTrainBatchSize,
        lossType: values.lossType,
        desirableWeight: values.desirableWeight,
        undesirableWeight: values.undesirableWeight,
        ...(tokenizer ? { tokenizer } : {}),
        ...(chatTemplate === undefined ? {} : { chatTemplate }),
        ...(io.signal ? { signal: io.signal } : {}),
        onProgress: ({ done, total }) => progress.update(Math.floor((100 * done) / total), `% of ${total} rows`),
      });
    } finally {
      progress.stop();
    }
  };
  const train = await prepare(trainData, "tokenizing");
  const prepared = { train, ...(evalData ? { eval: await prepare(evalData, "tokenizing eval data") } : {}) };
  return { config, args, folder, adapter, hub, tokenizer, chatTemplate, prepared, checkpoint };
}

async function openTrainData(values: TrainValues, hub: HubAccess): Promise<Dataset<DataRow>> {
  const { trainFile: file, datasetName: name, maxTrainSamples: maxRows } = values;
  const { signal } = hub.options;
  if (file !== null) return openDataFile(file, { maxRows, signal });
  return openData(name!, hub, { split: values.datasetTrainSplit, config: values.datasetConfig, maxRows, signal });
}

/** What is evaluated on, if anything: the file named for it, else that split of the data set. */
async function openEvalData(values: TrainValues, hub: HubAccess): Promise<Dataset<DataRow> | undefined> {
  const { evalFile: file, datasetName: name, evalStrategy: strategy } = values;
  const { signal } = hub.options;
  if (strategy === "no") return undefined;
  if (file !== null) return openDataFile(file, { signal });
  return openData(name!, hub, { split: values.datasetTestSplit, config: values.datasetConfig, signal });
}
