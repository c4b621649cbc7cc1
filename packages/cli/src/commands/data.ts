import { DEFAULT_CHAT_TEMPLATE, renderChatTemplate } from "@kto/chat-templates";
import { detectFormat, isConversation, type DataRow, type Dataset } from "@kto/datasets";
import { dataReport, type DataReport } from "@kto/trainer";
import { checkFields } from "../config/read-config.js";
import { text } from "../config/field-types.js";
import { ConfigError, exitStatus } from "../errors.js";
import { openData, readChatTemplate } from "../load/data-file.js";
import { hubAccess } from "../load/hub-access.js";
import { tokenizerPath } from "../load/hub-model.js";
import { openTokenizer } from "../load/model-folder.js";
import { plainDataReport, renderDataReport, renderRawReport, type RawReport } from "../render/data-report.js";
import type { Command, CommandInput } from "./command.js";
import { dataChoice, head, pickFields } from "./shared-fields.js";

export const dataCommand: Command = {
  name: "data",
  summary: "what the trainer will see of a data file or data set",
  usage: "kto data FILE|ID [--split S] [--model M] [--template T] [--head N] [--field value …]",
  fields: {
    model: text(null),
    template: text(null),
    head,
    ...dataChoice,
    ...pickFields(
      "max_length",
      "chat_template",
      "per_device_train_batch_size",
      "per_device_eval_batch_size",
      "loss_type",
      "desirable_weight",
      "undesirable_weight",
      "dtype",
      "seed",
    ),
  },
  run: data,
};

interface DataValues {
  model: string | null;
  template: string | null;
  head: number | null;
  split: string | null;
  dataset_config: string | null;
  max_length: number | null;
  chat_template: string | null;
  per_device_train_batch_size: number;
  loss_type: "kto" | "apo_zero_unpaired";
  desirable_weight: number;
  undesirable_weight: number;
}

async function data({ operands, fields, options, io, console, begin }: CommandInput): Promise<number> {
  const { values: checked, mistakes } = checkFields(dataCommand.fields, fields);
  if (operands.length !== 1)
    mistakes.push(`data: not usable; expected one data file or data set, got ${operands.length}; see kto data --help`);
  if (checked["template"] !== null && checked["chat_template"] !== null)
    mistakes.push("--template: it means --chat_template, which is given too; expected one of the two, got both");
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const values = checked as unknown as DataValues;
  const access = hubAccess(io, console);
  const tokenizer = values.model === null ? undefined : await openTokenizer(await tokenizerPath(values.model, access));
  const chatTemplate = await readChatTemplate(values.template ?? values.chat_template);
  const dataset = await openData(operands[0]!, access, { split: values.split, config: values.dataset_config, signal: io.signal });
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
    maxLength: values.max_length,
    perDeviceTrainBatchSize: values.per_device_train_batch_size,
    lossType: values.loss_type,
    desirableWeight: values.desirable_weight,
    undesirableWeight: values.undesirable_weight,
    ...(tokenizer ? { tokenizer } : {}),
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(io.signal ? { signal: io.signal } : {}),
  });
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
