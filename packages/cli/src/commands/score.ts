import { isPaired, type DataRow, type Dataset } from "@kto/datasets";
import { pickFields } from "@kto/core/config";
import { loadAdapter } from "@kto/kit";
import type { DecoderForCausalLM } from "@kto/qwen2";
import { adviseOnMemory, cutRow, describeDrop, packScoredBatch, scoreBatch, type ScoredRow, type TokenizedRows } from "@kto/trainer";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { inputFields } from "../config/input-fields.js";
import { trainFields } from "../config/train-fields.js";
import { exitStatus, fieldName } from "../errors.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import { formatCount } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";
import { openModelAndData, tokenize } from "./model-and-data.js";

const scoreFields = { ...inputFields, ...pickFields(trainFields, "maxLength", "perDeviceEvalBatchSize", "seed") };

export const scoreCommand: Command = {
  name: "score",
  summary: "log-probabilities of each completion, a JSON line a row",
  usage: "kto score --model M [--adapter A] --data FILE|ID [--field value …]",
  examples: [["kto score --model Qwen/Qwen2-0.5B --adapter outputs --data rows.jsonl", "with a trained adapter"]],
  fields: scoreFields,
  run: score,
};

/** A completion of a row of the file: what was tokenised, or why it is dropped. */
type Candidate = ScoredRow | { dropped: string };

/** A scored completion, as it is printed. */
interface Score {
  prompt_ids: readonly number[];
  completion_ids: readonly number[];
  logps: number;
  /** null for a token that nothing stands before. */
  token_logps: (number | null)[];
}

async function score(input: CommandInput): Promise<number> {
  const { io, console } = input;
  const values = commandValues("score", scoreFields, input, expectNoOperands("score", input.operands));
  const { dataset, adapter, model: files, text } = await openModelAndData(values, input);
  const read = await tokenize(dataset, { ...text, maxLength: values.maxLength, strict: values.strict, needsLabels: false }, input);
  const rows = inOrderOfFile(read, dataset);

  await using device = await commandDevice(input);
  using base = await loadWeights(files, device, console, { ...values, dtype: operandDtype(values.dtype, device), signal: io.signal });
  using model = adapter ? await loadAdapter(base, adapter) : undefined;
  input.begin();
  using progress = console.progress("scoring", "rows", { results: io.stdout });
  const size = values.perDeviceEvalBatchSize;
  for (let start = 0; start < rows.length; start += size) {
    io.signal?.throwIfAborted();
    const batch = rows.slice(start, start + size);
    const scores = await scoresOf(
      model?.base ?? base,
      batch.flat().flatMap((candidate) => ("dropped" in candidate ? [] : [cutRow(candidate, values.maxLength)])),
    ).catch((error: unknown) => {
      throw adviseOnMemory(error, ["perDeviceEvalBatchSize", "maxLength"]);
    });
    for (const row of batch) {
      const results = row.map((candidate) => ("dropped" in candidate ? candidate : scores.shift()!));
      io.stdout.write(`${JSON.stringify(results.length === 1 ? results[0] : { chosen: results[0], rejected: results[1] })}\n`);
    }
    progress.update({ done: Math.min(start + size, rows.length), total: rows.length });
  }
  progress.stop();
  console.line(
    `scored ${formatCount(rows.length)} rows of ${values.data}${read.dropped.length > 0 ? `, of which ${read.dropped.length} dropped` : ""}`,
  );
  return exitStatus.done;
}

/** The completions of every row of the file: one, or those of both sides of a pair, the chosen one first. */
function inOrderOfFile({ rows, dropped, format }: TokenizedRows, dataset: Dataset<DataRow>): Candidate[][] {
  const places = Array.from({ length: dataset.length }, (): Candidate[] => []);
  const isPairs = isPaired(format.type);
  const put = (index: number, label: boolean | undefined, candidate: Candidate): void => {
    places[index]![isPairs && label === false ? 1 : 0] = candidate;
  };
  for (const { sourceIndex, label, promptIds, completionIds } of rows) put(sourceIndex, label, { promptIds, completionIds });
  for (const { index, label, reason } of dropped) put(index, label, { dropped: describeDrop(reason, fieldName) });
  return places;
}

async function scoresOf(model: DecoderForCausalLM, rows: readonly ScoredRow[]): Promise<Score[]> {
  if (rows.length === 0) return [];
  const { device } = model;
  const { numScored, tensors } = device.scope(() => {
    const batch = packScoredBatch(model, rows);
    const { logProbs, tokenLogProbs } = device.noGrad(() => scoreBatch(model, batch));
    return { numScored: batch.numScored, tensors: tokenLogProbs ? [logProbs, tokenLogProbs] : [logProbs] };
  });
  const [sums, tokens] = await device.readAll(tensors);
  for (const tensor of tensors) tensor.dispose();
  let next = 0;
  return rows.map(({ promptIds, completionIds }, index) => {
    const scored = Array.from(tokens?.subarray(next, (next += numScored[index]!)) ?? []);
    const unscored = Array.from({ length: completionIds.length - scored.length }, () => null);
    return { prompt_ids: promptIds, completion_ids: completionIds, logps: sums![index]!, token_logps: [...unscored, ...scored] };
  });
}
