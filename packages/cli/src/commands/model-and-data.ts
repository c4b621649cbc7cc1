import type { DataRow, Dataset } from "@kto/datasets";
import { readAdapterConfig } from "@kto/lora/node";
import type { Values } from "@kto/core/config";
import type { Tokenizer } from "@kto/trainer";
import type { inputFields } from "../config/input-fields.js";
import { openData, readChatTemplate } from "../load/data-file.js";
import { hubAccess } from "../load/hub-access.js";
import { adapterPath, modelPath } from "../load/hub-model.js";
import { openModelFolder, openTokenizer, type ModelFolder } from "../load/model-folder.js";
import type { CommandInput } from "./command.js";

/** What a command that looks at a model's view of data reads before it opens a device. */
export interface ModelAndData {
  dataset: Dataset<DataRow>;
  /** Folder of the adapter. */
  adapter: string | undefined;
  folder: ModelFolder;
  /** For preparing rows: those that there are. */
  text: { tokenizer?: Tokenizer; chatTemplate?: string };
}

/** Fetches what is on the hub, the small before the large, and reads what can be wrong with it. */
export async function openModelAndData(values: Values<typeof inputFields>, { io, console }: CommandInput): Promise<ModelAndData> {
  const access = hubAccess(io, console);
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const dataset = await openData(values.data, access, { split: values.split, config: values.datasetConfig, signal: io.signal });
  const adapter = values.adapter === null ? undefined : await adapterPath(values.adapter, access);
  if (adapter !== undefined) await readAdapterConfig(adapter);
  const folder = await openModelFolder(await modelPath(values.model, access, console, { preferFourBit: values.prefer4bitCheckpoint }));
  const tokenizer = await openTokenizer(folder.path);
  return {
    dataset,
    adapter,
    folder,
    text: { ...(tokenizer ? { tokenizer } : {}), ...(chatTemplate === undefined ? {} : { chatTemplate }) },
  };
}
