import { DEFAULT_CHAT_TEMPLATE, renderChatTemplate } from "@kto/chat-templates";
import { pickFields } from "@kto/core/config";
import { detectFormat, isConversation, type DataRow, type Dataset } from "@kto/datasets";
import { dataReport, type DataReport } from "@kto/trainer";
import { commandValues } from "../config/check-command.js";
import { dataFields } from "../config/input-fields.js";
import { trainFields } from "../config/train-fields.js";
import { exitStatus } from "../errors.js";
import { readChatTemplate } from "../load/chat-template.js";
import { hubAccess } from "../load/hub-access.js";
import { findTokenizer, openData } from "../load/inputs.js";
import { plainDataReport, renderDataReport, renderRawReport, type RawReport } from "../render/data-report.js";
import type { Command, CommandInput } from "./command.js";

const allFields = {
  ...dataFields,
  ...pickFields(
    trainFields,
    "maxLength",
    "perDeviceTrainBatchSize",
    "perDeviceEvalBatchSize",
    "lossType",
    "desirableWeight",
    "undesirableWeight",
    "dtype",
    "seed",
  ),
};

export const dataCommand: Command = {
  name: "data",
  summary: "what the trainer will see of a data file or data set",
  usage: "kto data FILE|ID [--split S] [--model M] [--template T] [--head N] [--field value …]",
  examples: [["kto data rows.jsonl --model Qwen/Qwen2-0.5B --head 2", "counts, lengths, and two rows as tokens"]],
  fields: allFields,
  run: data,
};

async function data(input: CommandInput): Promise<number> {
  const { operands, fields, options, io, console, begin } = input;
  const named = [...fields.values.keys()].filter((name) => name === "data" || dataFields.data.aliases?.includes(name));
  const places = operands.length + (named.length > 0 ? 1 : 0);
  const values = commandValues(
    "data",
    allFields,
    input,
    places === 1 ? [] : [`data: not usable; expected one data file or data set, got ${places}; see kto data --help`],
  );
  const access = hubAccess(io, console);
  const tokenizer = values.model === null ? undefined : await findTokenizer(values.model, access);
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const dataset = await openData(values.data ?? operands[0]!, access, {
    split: values.split,
    config: values.datasetConfig,
  });
  const count = values.head ?? dataset.length;
  begin();
  if (!tokenizer && detectFormat(dataset).type !== "tokenized") {
    const report = rawReport(dataset, count, chatTemplate ?? DEFAULT_CHAT_TEMPLATE);
    if (options.json) io.stdout.write(`${JSON.stringify(report)}\n`);
    else for (const line of renderRawReport(report)) io.stdout.write(`${line}\n`);
    console.line(
      `note: without --model there is no tokenizer: nothing is tokenised or dropped${chatTemplate === undefined ? ", and conversations are rendered with the default template" : ""}`,
    );
    return exitStatus.done;
  }
  const report: DataReport = await dataReport(dataset, {
    head: count,
    maxLength: values.maxLength,
    perDeviceTrainBatchSize: values.perDeviceTrainBatchSize,
    lossType: values.lossType,
    desirableWeight: values.desirableWeight,
    undesirableWeight: values.undesirableWeight,
    tokenizer,
    chatTemplate,
    signal: io.signal,
  });
  console.dataNotes(report.notes);
  if (options.json) io.stdout.write(`${JSON.stringify(plainDataReport(report))}\n`);
  else for (const line of renderDataReport(report, console)) io.stdout.write(`${line}\n`);
  return exitStatus.done;
}

/** Stand in for the special tokens, which only a tokenizer knows. */
const placeholders = { bos_token: "<bos>", eos_token: "<eos>" };

/** What can be said of rows without a tokenizer. */
function rawReport(dataset: Dataset<DataRow>, count: number, chatTemplate: string): RawReport {
  const format = detectFormat(dataset);
  let desirable = 0;
  let undesirable = 0;
  for (const { label } of dataset) {
    if (label === true || label === 1) desirable++;
    else if (label === false || label === 0) undesirable++;
  }
  const pairs = format.type === "paired" || format.type === "implicit-prompt";
  return {
    columns: [...dataset.columnNames],
    format,
    counts: { source: dataset.length, prepared: null, dropped: null },
    classBalance: pairs ? { desirable: dataset.length, undesirable: dataset.length } : { desirable, undesirable },
    samples: Array.from(dataset.take(count), (row) => ({ row, texts: renderedTexts(row, chatTemplate) })),
  };
}

/** Each completion of a row with its prompt, as text. */
function renderedTexts(row: DataRow, chatTemplate: string): string[] {
  const { prompt } = row;
  const completions = ["completion", "chosen", "rejected"]
    .map((column) => row[column])
    .filter((value) => value !== undefined && value !== null);
  return completions.flatMap((completion) => {
    if (isConversation(completion)) {
      const conversation = [...(isConversation(prompt) ? prompt : []), ...completion];
      return [renderChatTemplate(chatTemplate, conversation, { specialTokens: placeholders })];
    }
    return typeof completion === "string" ? [(typeof prompt === "string" ? prompt : "") + completion] : [];
  });
}
