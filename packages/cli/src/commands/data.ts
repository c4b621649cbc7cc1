import { DEFAULT_CHAT_TEMPLATE, renderChatTemplate } from "@kto/chat-templates";
import { excerpt, stringifyJson } from "@kto/core";
import { defaultsOf, diskName, pickFields, type Fields, type GivenFields, type Values } from "@kto/core/config";
import { isConversation, isSilent, isTokenized, layoutOfDataset, rowError, type DataRow, type Dataset, type Message } from "@kto/datasets";
import type { TrainingConfig } from "@kto/trainer";
import { commandValues, mistakeLine } from "../config/check-command.js";
import { dataFields } from "../config/input-fields.js";
import { fieldsForHelp } from "../config/fields-by-method.js";
import { asDeclared, chosenMethod, fieldOfOthers } from "../config/method-of.js";
import { fieldsOf, sharedFields, unionOf } from "../config/train-fields.js";
import { ConfigError, exitStatus } from "../errors.js";
import { readChatTemplate } from "../load/chat-template.js";
import { hubAccess } from "../load/hub-access.js";
import { findTokenizer } from "../load/inputs.js";
import type { CheckedView, TrainMethod } from "../methods/index.js";
import { plainDataReport, renderDataView, renderRawView, type RawView } from "../render/data-report.js";
import { outputStyle } from "../render/output-style.js";
import { preparingProgress } from "../render/staged-progress.js";
import type { Command, CommandInput } from "./command.js";
import { openRows } from "./model-and-data.js";

const shared = { ...dataFields, ...pickFields(sharedFields, "method", "maxLength", "perDeviceEvalBatchSize", "dtype", "seed") };

/** Fields of `kto data` with a method: those that decide what it scores among them. */
function dataFieldsOf(method: TrainMethod): Fields {
  return { ...shared, ...pickFields(fieldsOf(method), ...method.dataFields) };
}

export const dataCommand: Command = {
  name: "data",
  summary: "what the trainer will see of a data file or data set",
  usage: "kto data FILE|ID [--method METHOD] [--split S] [--model M] [--template T] [--head N] [--field value …]",
  examples: [
    ["kto data rows.jsonl --model Qwen/Qwen2-0.5B --head 2", "counts, lengths, and two rows as tokens"],
    ["kto data pairs.jsonl --model Qwen/Qwen2-0.5B --method dpo", "what DPO will see of pairs"],
  ],
  fields: unionOf(dataFieldsOf),
  describe: (given) => fieldsForHelp(dataFieldsOf, given),
  run: data,
};

async function data(input: CommandInput): Promise<number> {
  const { operands, fields, options, io, console, begin } = input;
  const named = [...fields.values.keys()].filter((name) => name === "data" || dataFields.data.aliases?.includes(name));
  const places = operands.length + (named.length > 0 ? 1 : 0);
  const { method } = chosenMethod(fields, undefined);
  const declared = dataFieldsOf(method);
  const given = asDeclared(declared, fields);
  const checked = commandValues(
    "data",
    declared,
    { ...input, fields: given },
    places === 1 ? [] : [`data: not usable; expected one data file or data set, got ${places}; see kto data --help`],
    (wrong) => fieldOfOthers(wrong, method, given),
  );
  const values = checked as Values<typeof shared>;
  const args = dataArguments(method, declared, checked, given.places);
  const access = hubAccess(io, console);
  const tokenizer = values.model === null ? undefined : await findTokenizer(values.model, access);
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const dataset = await openRows({ ...values, data: values.data ?? operands[0]! }, access, input);
  const count = values.head ?? Infinity;
  using progress = preparingProgress(console);
  const checking = { strict: values.strict, signal: io.signal, onProgress: progress.onProgress };
  const raw = tokenizer ? undefined : await method.check(dataset, checking, args);
  const isRaw = raw !== undefined && !isTokenized(raw.checked.format.type);
  const shown = isRaw
    ? rawReport(raw, dataset, count, chatTemplate ?? DEFAULT_CHAT_TEMPLATE)
    : await method.view(dataset, { ...checking, head: count, maxLength: args.maxLength, tokenizer, chatTemplate }, args);
  const { report } = shown;
  const style = outputStyle(io.stdout, io.env);
  progress.stop();
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
  else
    for (const line of "sequences" in shown ? renderDataView(shown, method, style) : renderRawView(shown, style))
      io.stdout.write(`${line}\n`);
  return exitStatus.done;
}

/** The method's arguments, of which only those matter that decide what is scored. Throws ConfigError where they contradict each other. */
function dataArguments(
  { fields, dataFields: names, contradictions }: TrainMethod,
  declared: Fields,
  values: Values<Fields>,
  places: GivenFields["places"],
): TrainingConfig {
  const args = { ...defaultsOf(fields), ...pickFields(values, "maxLength", "seed", ...names) } as unknown as TrainingConfig;
  const mistakes = contradictions(args).map((rule) => {
    const name = diskName(rule.field, fields[rule.field]!)!;
    return mistakeLine("data", declared, { kind: "unusable", place: places.get(name) ?? name, ...rule });
  });
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return args;
}

/** Stand in for the special tokens, which only a tokenizer knows. */
const placeholders = { bos_token: "<bos>", eos_token: "<eos>" };

/** What can be said of rows without a tokenizer. */
function rawReport(view: CheckedView, dataset: Dataset<DataRow>, count: number, chatTemplate: string): RawView {
  const { format, dropped, unreadColumns, notes } = view.checked;
  const { toTrl } = layoutOfDataset(dataset, view.layouts);
  const skipped = new Set(dropped.map(({ index }) => index));
  const report = {
    columns: [...dataset.columnNames],
    unreadColumns,
    format,
    counts: { source: dataset.length, prepared: null, dropped: null },
    ...view.own,
    dropped,
    notes,
    samples: Array.from(dataset.take(Math.min(count, dataset.length)), (row, index) => ({
      row,
      texts: skipped.has(index) ? [] : renderedTexts(toTrl?.(row, index) ?? row, index, chatTemplate, view),
    })),
  };
  return { report, facts: view.facts };
}

/** Each answer of a row with its prompt, or the whole, as text. */
function renderedTexts(
  row: DataRow,
  index: number,
  chatTemplate: string,
  { answers, whole }: Pick<CheckedView, "answers" | "whole">,
): string[] {
  const { prompt } = row;
  const given = (columns: readonly string[]): unknown[] =>
    columns.map((column) => row[column]).filter((value) => value !== undefined && value !== null);
  const completions = given(answers);
  if (completions.length === 0)
    return given(whole).map((text) => (isConversation(text) ? rendered(chatTemplate, text, index) : String(text)));
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
