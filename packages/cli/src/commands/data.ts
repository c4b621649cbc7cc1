import { DEFAULT_CHAT_TEMPLATE, renderChatTemplate } from "@kto/chat-templates";
import { excerpt, stringifyJson } from "@kto/core";
import { pickFields } from "@kto/core/config";
import {
  detectFormat,
  isConversation,
  isSilent,
  isTokenized,
  layoutOfDataset,
  rowError,
  type DataRow,
  type Dataset,
  type Message,
} from "@kto/datasets";
import { checkRows, dataReport } from "@kto/trainer";
import { commandValues } from "../config/check-command.js";
import { dataFields } from "../config/input-fields.js";
import { trainFields } from "../config/train-fields.js";
import { exitStatus } from "../errors.js";
import { readChatTemplate } from "../load/chat-template.js";
import { hubAccess } from "../load/hub-access.js";
import { findTokenizer } from "../load/inputs.js";
import { plainDataReport, renderDataReport, renderRawReport, type RawReport } from "../render/data-report.js";
import type { Command, CommandInput } from "./command.js";
import { openRows } from "./model-and-data.js";

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
  const dataset = await openRows({ ...values, data: values.data ?? operands[0]! }, access, input);
  const count = values.head ?? Infinity;
  const isRaw = !tokenizer && !isTokenized(detectFormat(dataset).type);
  const report = isRaw
    ? await rawReport(dataset, count, chatTemplate ?? DEFAULT_CHAT_TEMPLATE, values.strict)
    : await dataReport(dataset, {
        head: count,
        maxLength: values.maxLength,
        perDeviceTrainBatchSize: values.perDeviceTrainBatchSize,
        lossType: values.lossType,
        desirableWeight: values.desirableWeight,
        undesirableWeight: values.undesirableWeight,
        tokenizer,
        chatTemplate,
        strict: values.strict,
        signal: io.signal,
      });
  begin();
  console.dataNotes(report.notes);
  if (isRaw) {
    console.note(
      `without --model there is no tokenizer: nothing is tokenised, and no row is dropped for its length${chatTemplate === undefined && report.format.conversational ? "; conversations are rendered with the default template" : ""}`,
    );
  }
  if (values.head !== null && count > report.samples.length && count !== dataFields.head.initial)
    console.note(`head: ${count} samples are asked for, and there are ${report.samples.length}`);
  if (options.json) io.stdout.write(`${stringifyJson(plainDataReport(report))}\n`);
  else for (const line of "lengths" in report ? renderDataReport(report, console) : renderRawReport(report)) io.stdout.write(`${line}\n`);
  return exitStatus.done;
}

/** Stand in for the special tokens, which only a tokenizer knows. */
const placeholders = { bos_token: "<bos>", eos_token: "<eos>" };

/** What can be said of rows without a tokenizer. */
async function rawReport(dataset: Dataset<DataRow>, count: number, chatTemplate: string, strict: boolean): Promise<RawReport> {
  const { format, labels, dropped, unreadColumns, notes } = await checkRows(dataset, { strict });
  const { toTrl } = layoutOfDataset(dataset);
  const skipped = new Set(dropped.map(({ index }) => index));
  return {
    columns: [...dataset.columnNames],
    unreadColumns,
    format,
    counts: { source: dataset.length, prepared: null, dropped: null },
    classBalance: { desirable: labels.filter(Boolean).length, undesirable: labels.filter((label) => !label).length },
    dropped,
    notes,
    samples: Array.from(dataset.take(Math.min(count, dataset.length)), (row, index) => ({
      row,
      texts: skipped.has(index) ? [] : renderedTexts(toTrl?.(row, index) ?? row, index, chatTemplate),
    })),
  };
}

/** Each completion of a row with its prompt, as text. */
function renderedTexts(row: DataRow, index: number, chatTemplate: string): string[] {
  const { prompt } = row;
  const completions = ["completion", "chosen", "rejected"]
    .map((column) => row[column])
    .filter((value) => value !== undefined && value !== null);
  return completions.flatMap((completion) => {
    if (isConversation(completion)) {
      const conversation = [...(isConversation(prompt) ? prompt : []), ...completion];
      return [rendered(chatTemplate, conversation, index)];
    }
    return typeof completion === "string" ? [(typeof prompt === "string" ? prompt : "") + completion] : [];
  });
}

/** A conversation as text. Throws RowError where the template refuses it, unless a message has no content. */
function rendered(chatTemplate: string, conversation: Message[], index: number): string {
  try {
    return renderChatTemplate(chatTemplate, conversation, { specialTokens: placeholders });
  } catch (cause) {
    if (conversation.some(isSilent)) return "";
    throw rowError(index, {
      problem: "the chat template refuses the conversation",
      expected: "one that it renders",
      got: excerpt((cause as Error).message),
      cause,
    });
  }
}
