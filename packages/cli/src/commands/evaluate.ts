import { excerpt } from "@kto/core";
import { detectFormat, isPaired, type DataRow, type Dataset } from "@kto/datasets";
import type { ModelFiles } from "@kto/kit";
import { compareScores } from "@kto/trainer";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import {
  evaluateArguments,
  evaluateFields,
  evaluateFieldsOf,
  givenOfAll,
  sharedEvaluateFields,
  withoutFieldsOfOthers,
} from "../config/evaluate-fields.js";
import { asDeclared } from "../config/method-of.js";
import { exitStatus } from "../errors.js";
import { findAdapterOrModel } from "../load/adapter-or-model.js";
import { readChatTemplate } from "../load/chat-template.js";
import { hubAccess } from "../load/hub-access.js";
import { findAdapter, findModel } from "../load/inputs.js";
import { hasReference, methodNamed, methods, type PreparedData, type TrainMethod } from "../methods/index.js";
import { describeData } from "../render/banner.js";
import { comparisonJson, comparisonLines, metricLines } from "../render/evaluation.js";
import { preparingProgress } from "../render/staged-progress.js";
import type { Command, CommandInput } from "./command.js";
import { writeRowsFile } from "./evaluated-rows.js";
import { evaluateSides, type ToEvaluate } from "./evaluate-sides.js";
import { openRows } from "./model-and-data.js";

export const evaluateCommand: Command = {
  name: "evaluate",
  summary: "the trainer's evaluation, with preference accuracy and margins; two models row by row",
  usage: "kto evaluate --model M [--adapter A] --data FILE|ID [--against ADAPTER|MODEL] [--field value …]",
  examples: [
    ["kto evaluate --model Qwen/Qwen2-0.5B --adapter outputs --data eval.jsonl", "an adapter against its base model"],
    [
      "kto evaluate --model merged --reference_model Qwen/Qwen2-0.5B --data eval.jsonl",
      "a whole model against the one that it was made from",
    ],
    ["kto evaluate --model Qwen/Qwen2-0.5B --adapter outputs --against earlier --data eval.jsonl", "two adapters, row by row"],
  ],
  fields: evaluateFields,
  run: evaluate,
};

async function evaluate(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const wanted = await gather(input);
  const [first, against] = await evaluateSides(wanted, input);
  const { values, method } = wanted;
  if (!first.hasRewards && hasReference(method))
    console.note(
      "the model is its own reference: its rewards are 0, and answers are weighed by log-probabilities alone; --reference_model gives it another",
    );
  const by = against && first.hasRewards && against.hasRewards ? "rewards" : "logps";
  const comparison =
    against && compareScores(first.scores, against.scores, { by, resamples: values.bootstrapResamples, seed: values.seed });
  if (values.rowsFile !== null) await writeRowsFile(values.rowsFile, first, against, comparison);
  if (options.json)
    io.stdout.write(
      `${JSON.stringify({ ...first.metrics, ...(against && { against: against.metrics }), ...(comparison && { comparison: comparisonJson(comparison) }) })}\n`,
    );
  else {
    const lines = [...metricLines(first.metrics, against?.metrics), ...(comparison ? ["", ...comparisonLines(comparison)] : [])];
    io.stdout.write(`${lines.join("\n")}\n`);
  }
  return exitStatus.done;
}

/** Reads everything that can be wrong before a device is opened, the small before the large. */
async function gather(input: CommandInput): Promise<ToEvaluate> {
  const { io, console } = input;
  const access = hubAccess(io, console);
  const { values: places, method: named } = placesOf(input);
  const chatTemplate = await readChatTemplate(places.chatTemplate);
  const dataset = await openRows(places, access, input);
  const method = named ?? methodOf(dataset);
  const values = named ? places : valuesOf(method, input);
  const args = method.config(evaluateArguments(method, values));
  const choice = { prefer4bitCheckpoint: values.prefer4bitCheckpoint };
  const adapter = values.adapter === null ? undefined : await findAdapter(values.adapter, access);
  const model = await findModel(values.model, access, console, choice);
  const { maxLength, strict } = values;
  const prepare = async ({ tokenizer }: ModelFiles): Promise<PreparedData> => {
    using progress = preparingProgress(console);
    return await method.prepare(dataset, { maxLength, strict, tokenizer, chatTemplate, signal: io.signal, onProgress: progress.onProgress }, args); // prettier-ignore
  };
  const prepared = await prepare(model);
  const reference = values.referenceModel === null ? undefined : await findModel(values.referenceModel, access, console, choice);
  const other = values.against === null ? undefined : await findAdapterOrModel(values.against, access, console, choice);
  const own = other?.model && (await prepare(other.model));
  describeData(console, prepared, "data", method);
  const against = other && { ...other, prepared: own && !areSameRows(prepared, own) ? own : undefined };
  return { method, values, model, adapter, prepared, reference, against };
}

/** What is given, checked with the fields of the method that is named; where none is, what can be checked before the rows say which it is. */
function placesOf(input: CommandInput): { values: ToEvaluate["values"]; method: TrainMethod | undefined } {
  const method = methods.find(({ name }) => name === input.fields.values.get("method"));
  if (method) return { values: valuesOf(method, input), method };
  const fields = givenOfAll(input.fields);
  return {
    values: commandValues("evaluate", sharedEvaluateFields, { ...input, fields }, expectNoOperands("evaluate", input.operands)),
    method,
  };
}

function valuesOf(method: TrainMethod, input: CommandInput): ToEvaluate["values"] {
  const fields = evaluateFieldsOf(method);
  const { given, mistakes } = withoutFieldsOfOthers(method, asDeclared(fields, input.fields));
  mistakes.push(...expectNoOperands("evaluate", input.operands));
  const { values: words } = given;
  if (words.has("reference_model") && !hasReference(method))
    mistakes.push(
      `--reference_model: ${method.name} has no reference; expected none, got ${excerpt(words.get("reference_model"))}; remove it`,
    );
  if (
    words.has("reference_model") &&
    words.get("reference_model") === (words.get("model") ?? words.get("model_name_or_path")) &&
    !words.has("adapter") &&
    !words.has("adapter_name_or_path")
  )
    mistakes.push("--reference_model: it is the model itself, and rewards would be 0; expected another model; remove it");
  if (words.has("reference_model") && words.get("reference") === "initial")
    mistakes.push("--reference_model: the reference is the adapter itself; expected one of the two, got both; remove --reference");
  return commandValues("evaluate", fields, { ...input, fields: given }, mistakes) as ToEvaluate["values"];
}

/** The method whose data rows are: pairs DPO's, texts and conversations SFT's, other answers KTO's. */
function methodOf(dataset: Dataset<DataRow>): TrainMethod {
  const { type } = detectFormat(dataset);
  const isSupervised = ["messages", "text", "input-ids", "prompt-completion"].includes(type);
  return methodNamed(isPaired(type) ? "dpo" : isSupervised ? "sft" : "kto");
}

function areSameRows({ rows }: PreparedData, { rows: others }: PreparedData): boolean {
  if (rows.length !== others.length) return false;
  for (let index = 0; index < rows.length; index++) if (JSON.stringify(rows.at(index)) !== JSON.stringify(others.at(index))) return false;
  return true;
}
