import { loadAdapter, type AdapterFiles, type LoadedModel, type ModelFiles } from "@kto/kit";
import { getPeftModel, type PeftModel } from "@kto/lora";
import { preferenceMetrics, type AnswerScore, type LogRecord } from "@kto/trainer";
import { evaluateArguments, type EvaluateValues } from "../config/evaluate-fields.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import type { AdapterOrModel } from "../load/adapter-or-model.js";
import { hasReference, type MethodTrainer, type PreparedData, type TrainMethod } from "../methods/index.js";
import type { CommandInput } from "./command.js";

/** What is evaluated, found and read. */
export interface ToEvaluate {
  method: TrainMethod;
  values: EvaluateValues & { reference?: "base" | "initial" };
  model: ModelFiles;
  adapter: AdapterFiles | undefined;
  prepared: PreparedData;
  reference: ModelFiles | undefined;
  /** What it is compared with; its rows where another tokenizer makes other tokens of them. */
  against: (AdapterOrModel & { prepared: PreparedData | undefined }) | undefined;
}

/** One of the two that are compared, evaluated. */
export interface EvaluatedSide {
  metrics: LogRecord;
  scores: AnswerScore[];
  /** Whether its rewards say anything: those of a model that is its own reference are all 0. */
  hasRewards: boolean;
}

/** Evaluates one or two. Models that are not the same are on the device one after the other; adapters share their base. */
export async function evaluateSides(wanted: ToEvaluate, input: CommandInput): Promise<[EvaluatedSide] | [EvaluatedSide, EvaluatedSide]> {
  const { values, model, adapter, against } = wanted;
  await using device = await commandDevice(input);
  const load = (files: ModelFiles): Promise<LoadedModel> =>
    loadWeights(files, device, input.console, { ...values, dtype: operandDtype(values.dtype, device), signal: input.io.signal });
  let { prepared } = wanted;
  if (wanted.reference) {
    using base = await load(wanted.reference);
    prepared = await withReference(wanted, base, input);
  }
  const sides: EvaluatedSide[] = [];
  const evaluate = async (base: LoadedModel, on: AdapterFiles | undefined, rows: PreparedData, name: string): Promise<void> => {
    sides.push(await evaluateSide(wanted, { base, adapter: on, prepared: rows, name }, input));
  };
  {
    using base = await load(model);
    input.begin();
    await evaluate(base, adapter, prepared, "evaluating");
    if (against?.adapter) await evaluate(base, against.adapter, prepared, "against");
  }
  if (against?.model) {
    using base = await load(against.model);
    await evaluate(base, undefined, against.prepared ?? prepared, "against");
  }
  return sides as [EvaluatedSide];
}

interface Side {
  base: LoadedModel;
  adapter: AdapterFiles | undefined;
  prepared: PreparedData;
  /** Of its bar. */
  name: string;
}

async function evaluateSide(
  { method, values }: ToEvaluate,
  { base, adapter, prepared, name }: Side,
  { io, console }: CommandInput,
): Promise<EvaluatedSide> {
  using model = adapter === undefined ? alone(base) : await loadAdapter(base, adapter);
  using progress = console.progress(name, "rows");
  const trainer = trainerOf(
    method,
    values,
    model,
    prepared,
    (at) => progress.update(at),
    adapter === undefined ? "base" : values.reference,
  );
  const scores: AnswerScore[] = [];
  const evaluated = await trainer.evaluate({ signal: io.signal, onScores: (some) => scores.push(...some) });
  const hasRewards = scores.every(({ reward }) => reward !== undefined) && scores.some(({ reward }) => reward !== 0);
  const preference = preferenceMetrics(scores, { hasRewards, resamples: values.bootstrapResamples, seed: values.seed });
  return { metrics: { ...evaluated, ...preference }, scores, hasRewards };
}

/** A model by itself, as trainers take one: with an adapter that adds nothing, since its every B is 0. */
function alone(base: LoadedModel): PeftModel<LoadedModel> {
  return getPeftModel(base, { r: 1 });
}

/** The rows with what the reference model says of them. */
async function withReference(
  { method, values, prepared }: ToEvaluate,
  base: LoadedModel,
  { io, console, begin }: CommandInput,
): Promise<PreparedData> {
  using model = alone(base);
  begin();
  using progress = console.progress("reference", "rows");
  const trainer = trainerOf(method, values, model, prepared, (at) => progress.update(at), "base");
  return await trainer.precomputeReference({ signal: io.signal });
}

function trainerOf(
  method: TrainMethod,
  values: ToEvaluate["values"],
  model: PeftModel<LoadedModel>,
  prepared: PreparedData,
  onProgress: (at: { done: number; total: number }) => void,
  reference: "base" | "initial" | undefined,
): MethodTrainer {
  const precomputed = hasReference(method) && { precomputeRefLogProbs: true };
  const args: Record<string, unknown> = { ...evaluateArguments(method, values), ...precomputed };
  return method.trainer({
    model,
    args,
    more: hasReference(method) ? { reference } : {},
    prepared: { eval: prepared },
    onEvent: (event) => (event.type === "evaluateProgress" || event.type === "precompute") && onProgress(event),
  });
}
