import type { DataRow, Dataset } from "@kto/datasets";
import type { Values } from "@kto/core/config";
import type { AdapterFiles, ModelFiles } from "@kto/kit";
import { tokenizeRows, type CheckOptions, type TokenizedRows, type TokenizeOptions } from "@kto/trainer";
import type { inputFields } from "../config/input-fields.js";
import type { rowFields } from "../config/row-fields.js";
import { readChatTemplate } from "../load/chat-template.js";
import { hubAccess, type HubAccess } from "../load/hub-access.js";
import { withColumns } from "../load/columns.js";
import { findAdapter, findModel, openData } from "../load/inputs.js";
import { describeLeftOut } from "../render/banner.js";
import { preparingProgress } from "../render/staged-progress.js";
import type { CommandInput } from "./command.js";

type InputValues = Values<typeof inputFields>;

/** What a command that looks at a model's view of data reads before it opens a device. */
export interface ModelAndData {
  dataset: Dataset<DataRow>;
  adapter: AdapterFiles | undefined;
  model: ModelFiles;
  /** For preparing rows. */
  text: TokenizeOptions;
}

/** Fetches what is on the hub, the small before the large, and reads what can be wrong with it. */
export async function openModelAndData(values: InputValues, input: CommandInput): Promise<ModelAndData> {
  const { io, console } = input;
  const access = hubAccess(io, console);
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const dataset = await openRows(values, access, input);
  const adapter = values.adapter === null ? undefined : await findAdapter(values.adapter, access);
  const model = await findModel(values.model, access, console, { prefer4bitCheckpoint: values.prefer4bitCheckpoint });
  return { dataset, adapter, model, text: { tokenizer: model.tokenizer, chatTemplate } };
}

/** Tokenises rows with a bar, and says what was noted of them and which are left out. Throws as `tokenizeRows`. */
export async function tokenize(
  dataset: Dataset<DataRow>,
  options: CheckOptions & TokenizeOptions & { maxLength: number | null },
  { io, console }: CommandInput,
): Promise<TokenizedRows> {
  using progress = preparingProgress(console);
  const read = await tokenizeRows(dataset, { ...options, signal: io.signal, onProgress: progress.onProgress });
  progress.stop();
  console.dataNotes(read.notes);
  describeLeftOut(console, read);
  return read;
}

/** The rows that a command is given, with their columns as they are read. */
export async function openRows(
  values: Pick<InputValues, "data" | "split" | "datasetConfig" | keyof typeof rowFields>,
  access: HubAccess,
  { console }: CommandInput,
): Promise<Dataset<DataRow>> {
  const onNote = (note: string): void => console.note(note);
  const read = await openData(values.data, access, { split: values.split, config: values.datasetConfig, onNote });
  return withColumns(read, values, onNote);
}
