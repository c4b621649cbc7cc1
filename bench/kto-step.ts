/**
 * The KTO step on a model of the 1.5B or 7B shape with random weights in f16, or with --nf4 in four bits, or on a model folder (`bench/tutorial/write-checkpoint.ts` makes four-bit ones),
 * LoRA r 16 on the seven projections.
 *
 *   npm run bench -- kto-step [--model FOLDER] [--shape 1.5b|7b] [--nf4] [--shared-prompts true|false] [--dtype f16|f32] [--batch 4] [--tokens 512,1024] [--updates 6] [--checkpointing true|false|auto]
 *       [--optim adamw_torch] [--loss kto|apo_zero_unpaired] [--accumulate 1] [--together auto|N] [--max-memory BYTES] [--offload-embedding] [--profile] [--layers 28] [--out FILE.json]
 *
 * Prints load time, samples/s, tokens/s, planned and peak memory and host time per dispatch; with --profile the hottest kernels too.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Dataset } from "@kto/datasets";
import { getPeftModel, type PeftModel } from "@kto/lora";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device, type FloatDtype, type KernelTiming } from "@kto/tensor";
import { KTOTrainer, type MemoryPlan, type TrainerEvent } from "@kto/trainer";
import { watchDriverMemory } from "./driver-memory.js";
import { randomFourBitModel, randomModel, shape1b5, shape7b } from "@kto/bench";

interface StepResult {
  tokensPerRow: number;
  batch: number;
  dtype: string;
  losses: number[];
  gradNorms: number[];
  logpsChosen: number[];
  stepMs: number[];
  medianStepMs: number;
  samplesPerSecond: number;
  tokensPerSecond: number;
  plan: MemoryPlan;
  peakBufferBytes: number;
  /** The GPU's memory in use at most, the process's driver included. */
  driverPeakMiB: number | undefined;
  dispatchesPerStep: number;
  hostMicrosecondsPerDispatch: number;
  /** Updates that `hottest` adds up. */
  profiledUpdates: number;
  hottest: KernelTiming[];
}

/** With --profile: what comes after the updates that are timed. */
const profiledUpdates = 2;

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    shape: { type: "string", default: "1.5b" },
    nf4: { type: "boolean", default: false },
    "shared-prompts": { type: "string", default: "true" },
    dtype: { type: "string", default: "f16" },
    checkpointing: { type: "string", default: "true" },
    optim: { type: "string", default: "adamw_torch" },
    loss: { type: "string", default: "kto" },
    accumulate: { type: "string", default: "1" },
    together: { type: "string", default: "auto" },
    "max-memory": { type: "string" },
    "offload-embedding": { type: "boolean", default: false },
    tokens: { type: "string", default: "512,1024" },
    updates: { type: "string", default: "6" },
    layers: { type: "string", default: "28" },
    batch: { type: "string", default: "4" },
    profile: { type: "boolean", default: false },
    out: { type: "string" },
  },
});

const driver = await watchDriverMemory();
const device = await requestDevice();
console.log(
  `${device.capabilities.description}: f16 ${device.capabilities.shaderF16}, subgroup matrices ${device.capabilities.subgroupMatrix.join("; ") || "none"}`,
);
if (options["max-memory"] !== undefined) device.memory.budgetBytes = Number(options["max-memory"]);
const dtype = options.dtype as FloatDtype;
const shape = { ...(options.shape === "7b" ? shape7b : shape1b5), numHiddenLayers: Number(options.layers) };
const started = performance.now();
const base = options.model
  ? await Qwen2ForCausalLM.fromPretrained(fileDirectory(options.model), { device, dtype })
  : options.nf4
    ? await randomFourBitModel(device, shape)
    : randomModel(device, shape, dtype);
const recordedMs = performance.now() - started;
await device.sync();
const loadedMs = performance.now() - started;
device.scope(() => void base.hiddenStates(base.packRows([[1, 2, 3]])));
await device.sync();
const firstForwardMs = performance.now() - started;
const maxRssMiB = process.resourceUsage().maxRSS / 1024;
console.log(
  `model: ${base.numParameters.toLocaleString("en")} parameters, ${(base.weightBytes / 2 ** 30).toFixed(3)} GiB; read in ${(recordedMs / 1000).toFixed(2)} s, on the device after ${(loadedMs / 1000).toFixed(2)} s, ` +
    `first forward done after ${(firstForwardMs / 1000).toFixed(2)} s, since the process began ${(performance.now() / 1000).toFixed(2)} s; ` +
    `host ${maxRssMiB.toFixed(0)} MiB at most; driver ${await driver.takePeakMiB()} MiB at most, ${driver.startMiB} before`,
);
const results: StepResult[] = [];
for (const tokens of options.tokens.split(",").map(Number)) {
  results.push(await measure(tokens, Number(options.batch), Number(options.updates)));
  if (options.out)
    writeFileSync(
      options.out,
      JSON.stringify(
        {
          device: device.capabilities.description,
          date: new Date().toISOString().slice(0, 10),
          load: { weightBytes: base.weightBytes, recordedMs, loadedMs, firstForwardMs, maxRssMiB, driverBeforeMiB: driver.startMiB },
          results,
        },
        null,
        1,
      ),
    );
}
driver.stop();
base.dispose();
device.dispose();

async function measure(tokensPerRow: number, batch: number, updates: number): Promise<StepResult> {
  await device.memory.trim();
  device.memory.resetPeak();
  const model = getPeftModel(base, { r: 16, loraAlpha: 16, targetModules: "all-linear" }, { seed: 3407 });
  const losses: number[] = [];
  const gradNorms: number[] = [];
  const logpsChosen: number[] = [];
  const stepMs: number[] = [];
  const hostMs: number[] = [];
  let recordStarted = performance.now();
  const dispatchesBefore = device.recorder.numDispatches;
  const trainer = makeTrainer(model, tokensPerRow, batch, updates, (event) => {
    if (event.type === "microBatch") hostMs.push(performance.now() - recordStarted);
  });
  const run = await trainer.plan();
  const plan = run.memory;
  let stepStarted = performance.now();
  recordStarted = stepStarted;
  for await (const log of run.train()) {
    stepMs.push(performance.now() - stepStarted);
    losses.push(log.loss);
    gradNorms.push(log.gradNorm);
    logpsChosen.push(log.metrics["logps/chosen"] ?? Number.NaN);
    console.log(
      `  ${tokensPerRow} tokens, step ${log.step}: ${stepMs.at(-1)!.toFixed(1)} ms, loss ${log.loss}, grad norm ${log.gradNorm.toExponential(4)}, logps/chosen ${log.metrics["logps/chosen"]}`,
    );
    stepStarted = performance.now();
    recordStarted = stepStarted;
  }
  const dispatches = device.recorder.numDispatches - dispatchesBefore;
  const rowsPerUpdate = batch * Number(options.accumulate);
  const peakBufferBytes = device.memory.info().peakBytes;
  const driverPeakMiB = await driver.takePeakMiB();
  const medianStepMs = median(stepMs.slice(2));
  const hottest = options.profile
    ? await profile(
        device,
        makeTrainer(model, tokensPerRow, batch, profiledUpdates, () => undefined),
      )
    : [];
  const result: StepResult = {
    tokensPerRow,
    batch,
    dtype: options.dtype,
    losses,
    gradNorms,
    logpsChosen,
    stepMs,
    medianStepMs,
    samplesPerSecond: (1000 * rowsPerUpdate) / medianStepMs,
    tokensPerSecond: (1000 * rowsPerUpdate * tokensPerRow) / medianStepMs,
    plan,
    peakBufferBytes,
    driverPeakMiB,
    dispatchesPerStep: dispatches / updates,
    hostMicrosecondsPerDispatch: (1000 * median(hostMs.slice(2)) * updates) / dispatches,
    profiledUpdates,
    hottest: hottest.slice(0, 30),
  };
  console.log(
    `${batch} × ${tokensPerRow} ${options.dtype}: ${medianStepMs.toFixed(1)} ms a step, ${result.samplesPerSecond.toFixed(2)} samples/s, ${result.tokensPerSecond.toFixed(0)} tokens/s, ` +
      `${(peakBufferBytes / 2 ** 30).toFixed(3)} GiB of buffers (planned ${(plan.peakBytes / 2 ** 30).toFixed(3)}, ${plan.checkpointedLayers} layers again, at most ${plan.tokensPerPass} tokens a pass, ${plan.microBatchesPerPass} micro-batches in one), ` +
      `driver ${driverPeakMiB} MiB at most, ${result.dispatchesPerStep.toFixed(0)} dispatches, ${result.hostMicrosecondsPerDispatch.toFixed(1)} µs host each`,
  );
  const total = hottest.reduce((sum, { totalMs }) => sum + totalMs, 0);
  if (total > 0) console.log(`  kernel time of two steps ${total.toFixed(1)} ms`);
  for (const { label, count, totalMs } of hottest.slice(0, 22))
    console.log(
      `  ${totalMs.toFixed(2).padStart(9)} ms ${((100 * totalMs) / total).toFixed(1).padStart(5)} %  ${String(count).padStart(5)} ×  ${label}`,
    );
  model.dispose();
  return result;
}

function makeTrainer(
  model: PeftModel<typeof base>,
  tokensPerRow: number,
  batch: number,
  updates: number,
  onEvent: (event: TrainerEvent) => void,
): KTOTrainer {
  const half = tokensPerRow / 2;
  const token = (row: number, position: number): number => (row * 7919 + position * 104_729 + 17) % 151_000;
  const ids = (row: number, from: number): number[] => Array.from({ length: half }, (_, position) => token(row, from + position));
  const rows = Array.from({ length: batch * Math.max(4, Number(options.accumulate)) }, (_, row) => ({
    prompt_ids: ids(row, 0),
    completion_ids: ids(row, half),
    label: row % 2 === 0,
  }));
  return new KTOTrainer({
    model,
    trainDataset: Dataset.from(rows),
    args: {
      perDeviceTrainBatchSize: batch,
      gradientAccumulationSteps: Number(options.accumulate),
      microBatchesPerPass: options.together === "auto" ? "auto" : Number(options.together),
      optim: options.optim,
      sharedPrompts: options["shared-prompts"] === "true",
      lossType: options.loss as "kto" | "apo_zero_unpaired",
      maxSteps: updates,
      learningRate: 1e-4,
      loggingSteps: 1,
      maxLength: tokensPerRow,
      offloadEmbedding: options["offload-embedding"],
      gradientCheckpointing: options.checkpointing === "auto" ? "auto" : options.checkpointing === "true",
      saveStrategy: "no",
    },
    onEvent,
  });
}

async function profile(on: Device, trainer: KTOTrainer): Promise<KernelTiming[]> {
  const { timings } = await on.recorder.profile(async () => {
    for await (const _ of trainer.train());
  });
  return timings;
}

/** The first two steps compile; they are left out before this. */
function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
