import { listed } from "@kto/datasets";
import { gpuMemoryAtOpening } from "@kto/kit/node";
import { countLoraParameters, type PeftModel } from "@kto/lora";
import type { DecoderForCausalLM } from "@kto/qwen2";
import type { Device, FloatDtype } from "@kto/tensor";
import { describeDrops, type MemoryPlan, type PlannedRun } from "@kto/trainer";
import { fieldName } from "../errors.js";
import type { TrainValues } from "../config/train-fields.js";
import type { Ranks } from "../ranks/ranks.js";
import { adapterInfo } from "../load/adapter-info.js";
import type { PreparedData, TrainMethod } from "../methods/index.js";
import type { Console } from "./console.js";
import { formatBytes, formatCount, formatCounted } from "./format.js";

/** Device, driver, memory, dtype and the features in use. */
export function describeDevice(console: Console, device: Device, dtype: FloatDtype): void {
  const { software, subgroups, shaderF16, subgroupMatrix } = device.capabilities;
  const { name, driver } = adapterInfo(device);
  const memory = gpuMemoryAtOpening(device);
  console.line(console.colors.bold(`kto · ${name}${software ? " (software: slow)" : ""}`));
  const features = [shaderF16 && "f16", subgroups && "subgroups", subgroupMatrix.length > 0 && "subgroup matrices"].filter(Boolean);
  console.fact(
    "device",
    [
      driver,
      memory && `${formatBytes(memory.freeBytes)} of ${formatBytes(memory.totalBytes)} free`,
      features.length > 0 ? features.join(", ") : "no optional features",
    ]
      .filter(Boolean)
      .join(" · "),
  );
  console.fact("dtype", dtype === "f16" ? "float16 operands, float32 sums and masters" : "float32");
}

/** The processes of a run, what joins them, and the GPU of each. */
export function describeRanks(console: Console, { collective, machines }: Ranks, gpus: readonly string[]): void {
  const where = machines.length === 1 ? `of ${machines[0]}` : `on ${machines.length} machines`;
  const has = gpus.every((gpu) => gpu === gpus[0]) ? `each on ${gpus[0]}` : gpus.map((gpu, rank) => `${rank} on ${gpu}`).join(", ");
  console.fact("ranks", `${collective.size} ${where} · ${collective.library} · ${has}`);
}

/** Parameters and bytes of the model. */
export function describeModel(console: Console, model: DecoderForCausalLM, path: string): void {
  const quantized = model.quantizedWeights.size;
  const linears = model.linearLayers.size;
  const bits =
    quantized === 0 ? "not 4-bit" : `4-bit (NF4) in ${quantized === linears ? "every layer" : `${quantized} of ${linears} matrices`}`;
  console.fact(
    "model",
    `${path} · ${formatCount(model.numParameters)} parameters · ${formatBytes(model.weightBytes)} on the GPU · ${bits}`,
  );
}

/** Trainable parameters and their share. */
export function describeTrained(console: Console, model: PeftModel<DecoderForCausalLM>): void {
  if (model.adapters.size === 0) {
    console.fact("training", `every weight · ${formatCount(model.base.numParameters)} trainable parameters, in float32`);
    return;
  }
  const { config, targets } = model.activeAdapter;
  const trainable = countLoraParameters(targets);
  const share = (100 * trainable) / (trainable + model.base.numParameters);
  console.fact(
    "adapter",
    `r ${config.r}, alpha ${config.loraAlpha} on ${targets.length} layers · ${formatCount(trainable)} trainable parameters (${share.toPrecision(3)} %)`,
  );
}

/** Rows, lengths, and what is dropped or cut and why; warnings of the method's that prepared them. */
export function describeData(console: Console, prepared: PreparedData, name: string, method: TrainMethod): void {
  const { sequence, completion, numTruncated } = prepared.lengths;
  const { rows, warnings } = method.describe(prepared);
  console.fact(name, rows);
  console.fact(
    "",
    `tokens ${method.sequence}: ${sequence.min} to ${sequence.max}, mean ${sequence.mean.toFixed(0)}; ${method.completions} ${completion.min} to ${completion.max}`,
  );
  describeLeftOut(console, prepared);
  if (numTruncated > 0) console.fact("", `${formatCount(numTruncated)} longer than max_length, cut at the end`);
  console.dataNotes(prepared.notes);
  for (const warning of warnings) console.warn(warning);
}

/** Columns that are not read; how many rows are dropped, and for each reason which. */
export function describeLeftOut(console: Console, { unreadColumns, dropped }: Pick<PreparedData, "unreadColumns" | "dropped">): void {
  if (unreadColumns.length > 0) console.fact("", `columns not read: ${listed(unreadColumns)}`);
  if (dropped.length === 0) return;
  const [first, ...rest] = describeDrops(dropped, fieldName);
  console.fact("", `${formatCount(dropped.length)} dropped: ${first}`);
  for (const reason of rest) console.fact("", reason);
}

/** Micro-batches, updates and warm-up. */
export function describePlan(
  console: Console,
  { unit }: TrainMethod,
  { counts, numWarmupUpdates, resumedFrom, damaged, differences, placeChange }: PlannedRun,
  values: TrainValues,
  ranks = 1,
): void {
  const { totalUpdates, updatesPerEpoch, numEpochs } = counts;
  const size = `${formatCounted(values.perDeviceTrainBatchSize, unit)} × ${values.gradientAccumulationSteps} ${values.gradientAccumulationSteps === 1 ? "micro-batch" : "micro-batches"}${ranks > 1 ? ` × ${ranks} ranks` : ""}`;
  console.fact(
    "plan",
    `${formatCounted(totalUpdates, "update")} of ${size} · ${updatesPerEpoch} an epoch, ${numEpochs} ${numEpochs === 1 ? "epoch" : "epochs"} · ${numWarmupUpdates} of warm-up, then ${values.lrSchedulerType} from ${values.learningRate}`,
  );
  for (const { checkpoint, file, problem } of damaged) console.warn(`${checkpoint}/${file} is damaged: ${problem}`);
  if (resumedFrom !== undefined) console.fact("", `going on from ${resumedFrom}`);
  for (const { field, before, now } of differences)
    console.fact("", `with another ${fieldName(field)} than before: ${JSON.stringify(now)}, there ${JSON.stringify(before)}`);
  if (placeChange) {
    const [there, here] = [placeChange.before, placeChange.now].map(({ epoch, row }) => `row ${formatCount(row)} of epoch ${epoch + 1}`);
    console.warn(`updates have other rows than before: the run goes on at ${here}, and the checkpoint had come to ${there}`);
  }
}

/** What the run is predicted to need, of what, and what is done to need no more. */
export function describeMemory(console: Console, plan: MemoryPlan): void {
  const { peakBytes, budgetBytes, residentBytes, savedBytes, workBytes, checkpointedLayers, numLayers } = plan;
  console.fact(
    "memory",
    `${formatBytes(peakBytes)} planned${budgetBytes === undefined ? "" : ` of ${formatBytes(budgetBytes)}`}: ${formatBytes(residentBytes)} model, adapter and optimizer, ${formatBytes(savedBytes)} activations, ${formatBytes(workBytes)} work`,
  );
  console.fact(
    "",
    `gradient checkpointing in ${checkpointedLayers === numLayers ? "every layer" : checkpointedLayers === 0 ? "no layer" : `${checkpointedLayers} of ${numLayers} layers`}${describePasses(plan)}`,
  );
  console.line();
}

/** How micro-batches go through the model, unless each does so in one pass of its own. */
function describePasses({ tokensPerPass, largestMicroBatch, microBatchesPerPass, tokensTogether }: MemoryPlan): string {
  if (microBatchesPerPass > 1) {
    const atMost = tokensTogether === undefined ? "" : `, of ${formatCount(tokensTogether)} tokens at most`;
    return `; up to ${microBatchesPerPass} micro-batches go through in one pass${atMost}`;
  }
  return largestMicroBatch > tokensPerPass
    ? `; micro-batches of more than ${formatCount(tokensPerPass)} tokens go through in several passes`
    : "";
}
