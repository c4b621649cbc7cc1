import { describeError, isKtoError } from "@kto/core";
import { launchedRanks } from "@kto/core/node";
import { directory, loadAdapter, type AdapterFiles, type LoadedModel } from "@kto/kit";
import { getPeftModel, PeftModel, type LoraConfig } from "@kto/lora";
import { weightSpecs } from "@kto/qwen2";
import { sizeOf, type Device, type FloatDtype } from "@kto/tensor";
import { expectRoomForWeights, logMetrics, writeErrorInRun, type PlannedRun, type TrainOutput } from "@kto/trainer";
import { describeFields, field, orNull, path, type GivenFields } from "@kto/core/config";
import { withHome } from "../config/check-command.js";
import { readConfigFile } from "../config/read-config.js";
import { fieldsForHelp } from "../config/fields-by-method.js";
import { flagsOver, moreValues, trainConfig, trainsEveryWeight, type TrainConfig } from "../config/train-config.js";
import { anyFields, fieldsOf, type TrainValues } from "../config/train-fields.js";
import { takeUi, uiField } from "../config/ui-fields.js";
import { ConfigError, exitStatus, fieldName, isRanksError } from "../errors.js";
import { pushing } from "../load/hub-access.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import { hasReference, methods, type MethodTrainer, type TrainMethod } from "../methods/index.js";
import { formatDataSummary } from "../load/data-summary.js";
import { compileAhead } from "../load/kernels-ahead.js";
import { RunReport } from "../load/run-report.js";
import { samplesTracker } from "../load/run-samples.js";
import { trackersOf } from "../load/trackers.js";
import { TrainPage } from "../load/train-page.js";
import { describeData, describeDevice, describeMemory, describeModel, describePlan, describeTrained } from "../render/banner.js";
import { TrainDisplay } from "../render/train-display.js";
import { startAdvice, startFacts } from "../ranks/facts.js";
import { gpuOfRank, sayGpus } from "../ranks/gpus.js";
import { withRanks } from "../ranks/with-ranks.js";
import { formatResolvedConfig } from "../resolved-config.js";
import type { Command, CommandInput } from "./command.js";
import { gather, type Materials } from "./train-materials.js";

const configField = {
  config: field(orNull(path("a YAML file")), null, { group: "config", help: "the file whose fields are read; flags win over it" }),
};

/** `kto train`, and for each method the command that names it. */
export const trainCommands: readonly Command[] = [trainCommand(), ...methods.map(trainCommand)];

function trainCommand(named?: TrainMethod): Command {
  const name = named?.name ?? "train";
  const about = named
    ? `train by ${named.title}, on ${named.trainsOn}`
    : `fine-tune a model with ${methods.map(({ title }) => title).join(", ")}`;
  return {
    name,
    summary: about,
    usage: `kto ${name} [[--config] CONFIG.yaml] [--field value …]`,
    examples: [
      [`kto ${name} kto.yaml --learning_rate 1e-5`, "the run of a file, with another learning rate"],
      [
        `kto ${name} --model Qwen/Qwen2-0.5B --data rows.jsonl --use_peft --lora_target_modules all-linear --output_dir outputs`,
        "the same without a file",
      ],
    ],
    fields: { ...configField, ...uiField, ...(named ? fieldsOf(named) : anyFields) },
    describe: (given) => [...describeFields({ ...configField, ...uiField }), ...fieldsForHelp(fieldsOf, given, named)],
    run: (input) => train(input, named),
  };
}

async function train(input: CommandInput, named: TrainMethod | undefined): Promise<number> {
  const launched = launchedRanks(input.io.env);
  return launched ? withRanks(input, launched, (input) => trainAlike(input, named)) : trainAlike(input, named);
}

/** Trains by itself, or as one of the ranks of a run, which were started alike. */
async function trainAlike(input: CommandInput, named: TrainMethod | undefined): Promise<number> {
  const { ui, rest } = takeUi(input.fields, input.io.env);
  const given = await allFields(named?.name ?? "train", { ...input, fields: rest });
  const config = trainConfig(given, input.io.env, named);
  await input.ranks?.expectSame(startFacts(config), startAdvice);
  if (ui === false || input.ranks?.isFirst === false) return trainWith(input, config);
  await using page = await TrainPage.open(config.values.outputDir, ui === true ? undefined : ui, input);
  return await page.during(input.io, (io) => trainWith({ ...input, io }, config, page));
}

async function trainWith(input: CommandInput, config: TrainConfig, page?: TrainPage): Promise<number> {
  const { io, console, ranks } = input;
  const materials = await (ranks ? ranks.inTurn(() => gather(config, input)) : gather(config, input));
  const { method, values } = materials.config;
  const gpu = ranks && (await gpuOfRank(input, values.ranksShareGpu));
  await using device = await commandDevice(input, values.maxMemory);
  const dtype = chooseDtype(materials.config, device, console);
  for (const note of materials.config.notes) console.note(note);
  describeDevice(console, device, dtype);
  if (ranks) await sayGpus(ranks, { device, gpu, dtype, shares: values.ranksShareGpu }, console);
  const trainable = trainsEveryWeight(values);
  if (trainable) await withinMemory(values, () => expectRoom(materials, device));
  void compileAhead(materials, device, { dtype, lora: loraOf(values) });
  using base = await loadWeights(materials.model, device, console, { ...values, dtype, trainable, signal: io.signal });
  describeModel(console, base, values.modelNameOrPath);
  using model = await adapted(base, values, materials.adapter);
  describeTrained(console, model);
  describeData(console, materials.prepared.train, "data", method);
  if (materials.prepared.eval) describeData(console, materials.prepared.eval, "eval data", method);
  return await runTraining(input, materials, { model, dtype, page });
}

/** The config file's fields with the flags over them. The file is an operand or, as in trl, `--config`. */
async function allFields(command: string, { operands, fields: flags, io }: CommandInput): Promise<GivenFields> {
  const named = flags.values.get("config");
  const files = [...operands, ...(named === undefined ? [] : [typeof named === "string" ? named : JSON.stringify(named)])];
  if (files.length > 1)
    throw new ConfigError([
      `${command}: too many config files; expected at most one, got ${files.join(" ")}; write fields as --field value`,
    ]);
  if (files.length === 0) return flags;
  const file = withHome(files[0]!, io.env);
  if (file === "")
    throw new ConfigError(["--config: there is no file named; expected the path of a YAML file, got none; name it after the flag"]);
  const above = { values: new Map(flags.values), places: new Map(flags.places) };
  for (const map of Object.values(above)) map.delete("config");
  return flagsOver(await readConfigFile(file), above);
}

/** What `dtype`, `bf16` and `fp16` come to on this device; says so where it is not what the word says. */
function chooseDtype({ values, given }: TrainConfig, device: Device, console: CommandInput["console"]): FloatDtype {
  if (trainsEveryWeight(values)) {
    const isOther = values.bf16 === true || values.fp16 || !["float32", "auto", null].includes(values.dtype);
    if (isOther) console.note("every weight is trained in float32, whatever dtype, bf16 and fp16 say");
    return "f32";
  }
  const half =
    values.bf16 === true ? "bf16: true" : values.fp16 ? "fp16: true" : values.dtype === "bfloat16" ? "dtype: bfloat16" : undefined;
  if (half !== undefined && values.dtype !== "float32") {
    const dtype = operandDtype(values.dtype === "float16" ? "float16" : "auto", device);
    console.note(
      `${half} trains here with ${dtype === "f16" ? "float16 operands and float32 masters" : "float32, since the device has no float16"}`,
    );
    return dtype;
  }
  if (half !== undefined) console.note(`${half} has no effect beside dtype: float32`);
  if (values.dtype === null && given.has("bf16") && values.bf16 === false) return "f32";
  return operandDtype(values.dtype ?? "auto", device);
}

/** Throws OutOfMemoryError for a model all of whose weights are to be trained and which is known not to fit, before any of them is read. */
function expectRoom({ config: { method, values }, args, model }: Materials, device: Device): void {
  const specs = weightSpecs(model.config);
  const parametersOf = (counted: typeof specs): number => counted.reduce((total, { shape }) => total + sizeOf(shape), 0);
  const { precomputeRefLogProbs = false } = args as { precomputeRefLogProbs?: boolean };
  expectRoomForWeights({
    numParameters: parametersOf(specs),
    numEmbeddingParameters: parametersOf(specs.filter(({ isEmbedding }) => isEmbedding)),
    optim: values.optim,
    keepsReference: hasReference(method) && !(precomputeRefLogProbs && values.evalStrategy === "no"),
    budgetBytes: device.memory.budgetBytes,
  });
}

/** The base with the adapter that is trained: one from a folder, a fresh one, or none where every weight is. */
async function adapted(base: LoadedModel, values: TrainValues, adapter: AdapterFiles | undefined): Promise<PeftModel<LoadedModel>> {
  if (trainsEveryWeight(values)) return new PeftModel(base);
  if (adapter !== undefined) return loadAdapter(base, adapter);
  return getPeftModel(
    base,
    {
      ...loraOf(values),
      baseModelNameOrPath: base.name,
      revision: base.revision ?? null,
    },
    { seed: values.seed },
  );
}

/** The config of a fresh adapter. */
function loraOf(values: TrainValues): Partial<LoraConfig> {
  return {
    r: values.loraR,
    loraAlpha: values.loraAlpha,
    loraDropout: values.loraDropout,
    targetModules: values.loraTargetModules,
    useRslora: values.useRslora,
  };
}

async function runTraining(
  input: CommandInput,
  materials: Materials,
  { model, dtype, page }: { model: PeftModel<LoadedModel>; dtype: FloatDtype; page: TrainPage | undefined },
): Promise<number> {
  const { io, console, options, ranks } = input;
  const isFirst = ranks?.isFirst ?? true; // it alone writes
  const { config, args, chatTemplate, prepared, checkpoint, referenceCache, pushes } = materials;
  const { method, values } = config;
  const resolved = formatResolvedConfig(values, dtype === "f16" ? "float16" : "float32", materials.hub.commits);
  const folder = directory(values.outputDir, {
    overwrite: values.overwriteOutputDir,
    files: { "resolved_config.yaml": resolved, "data_summary.json": formatDataSummary(prepared.train) },
  });
  const display = new TrainDisplay(console, method.display(args));
  let resumedFrom: string | undefined;
  let lastCheckpoint: string | undefined;
  let step = 0;
  let hasBegun = false;
  let isTrained = false;
  const begin = async (run: { startStep: number | undefined }): Promise<void> => {
    await folder.begin(run);
    hasBegun = true;
    page?.begin(folder.store, () => trainer.progress.logHistory);
  };
  const onAnswered = (done: number, total: number): void => {
    display.showSamples(done, total);
    page?.showSamples(done, total);
  };
  const trainer: MethodTrainer = method.trainer({
    model,
    args,
    more: moreValues(config),
    prepared,
    // The command gives the folder back itself, when everything is in it.
    output: { store: folder.store, check: (asked) => folder.check(asked), begin },
    chatTemplate,
    referenceCache,
    collective: ranks?.collective,
    trackers: isFirst
      ? [
          ...(await trackersOf({ values, model: materials.model, resolved, isResumed: checkpoint?.isInOutput === true }, input)),
          ...(materials.samples ? [samplesTracker(materials.samples, folder.store, { console, onProgress: onAnswered })] : []),
        ]
      : [],
    onEvent(event) {
      if (event.type === "update") step = event.step;
      else if (event.type === "checkpoint") {
        lastCheckpoint = event.path;
        pushes?.checkpointSaved(event);
      }
      display.show(event);
      page?.show(event);
    },
  });
  const report = new RunReport(folder.store, {
    history: () => trainer.progress.logHistory,
    onWarning: (text) => console.warn(text),
  });
  try {
    const run = await plan(trainer, materials, io.signal);
    await run.expectSameOnRanks();
    step = run.startStep;
    if (checkpoint && run.resumedFrom !== undefined)
      resumedFrom = checkpoint.from === true ? folder.store.folder(run.resumedFrom).name : checkpoint.from.name;
    describePlan(console, method, run, values, ranks?.collective.size);
    const earlier = run.isFinished ? await folder.results() : undefined;
    if (earlier !== undefined) {
      isTrained = true;
      console.line(`${run.resumedFrom} is the end of this run: nothing is left to train, and ${values.outputDir} stays as it is`);
      await pushAtEnd(materials, console);
      io.stdout.write(`${options.json ? JSON.stringify(earlier) : `nothing is left to train after update ${run.startStep}`}\n`);
      return exitStatus.done;
    }
    input.begin();
    describeMemory(console, run.memory);
    display.begin(run.startStep, run.counts.totalUpdates);
    for await (const log of run.train({ signal: io.signal, control: page?.control })) {
      if (!isFirst) continue;
      await folder.appendMetrics({ step: log.step, ...logMetrics(log) });
      await report.keepUp();
    }
    display.stop();
    const output = trainer.result!;
    const results = resultsOf(output);
    await trainer.saveModel().catch(async (error: unknown) => {
      throw await writeErrorInRun(error, folder.store);
    });
    if (isFirst) {
      await folder.writeResults(results); // last of what counts: a folder that has it holds a finished run
      await report.write();
    }
    isTrained = true;
    display.finish(
      trainer.progress.logHistory,
      output.peakGpuMemoryBytes,
      values.outputDir,
      trainsEveryWeight(values) ? "model" : "adapter",
    );
    await pushAtEnd(materials, console);
    const trainOutput = `TrainOutput(global_step=${output.globalStep}, training_loss=${output.trainingLoss}, metrics=${JSON.stringify(output.metrics)})`;
    io.stdout.write(`${options.json ? JSON.stringify(results) : trainOutput}\n`);
    return exitStatus.done;
  } catch (error) {
    display.stop();
    if (isTrained) throw error;
    if (hasBegun && isFirst) await report.write();
    if (pushes?.isUnderWay && !io.signal?.aborted) console.line(`waiting for the push of a checkpoint to ${pushes.url}`);
    await pushes?.settled(); // a signal has ended it
    const isInterrupted = io.signal?.aborted === true || (isRanksError(error) && error.isEnd);
    if (!isInterrupted) {
      const saysSo = isKtoError(error) && error.code === "WRITE";
      if (lastCheckpoint !== undefined && !saysSo)
        console.warn(`the last checkpoint is ${lastCheckpoint}; --resume_from_checkpoint goes on from it`);
      throw error;
    }
    io.stderr.write(interruption(step, lastCheckpoint ?? resumedFrom, io.again));
    return exitStatus.interrupted;
  } finally {
    await folder.end();
  }
}

/** Pushes what the run came to, and says where it is. Whatever becomes of that, it is on the disk, and the user is told how to push it. */
async function pushAtEnd({ config: { values }, pushes, hub }: Materials, console: CommandInput["console"]): Promise<void> {
  if (!pushes) return;
  const again = `kto push ${values.outputDir} --repo ${pushes.repo}${values.hubStrategy === "all_checkpoints" ? " --checkpoints" : ""}`;
  try {
    const interrupted = `interrupted; the run is finished and lies in ${values.outputDir}; push it with ${again}`;
    const { url } = await pushing(hub, values.hubToken, async () => pushes.end(), interrupted);
    console.fact("hub", url);
  } catch (error) {
    if (!hub.place.signal?.aborted) console.warn(`the run is finished and lies in ${values.outputDir}; push it with ${again}`);
    throw error;
  }
}

/** The run as it is going to be. */
function plan(trainer: MethodTrainer, { config, checkpoint }: Materials, signal: AbortSignal | undefined): Promise<PlannedRun> {
  return withinMemory(config.values, () => trainer.plan({ signal, resumeFrom: checkpoint?.from }));
}

/** What `body` gives. What was asked for with `max_memory` and cannot be is a ConfigError, whatever the device has. */
async function withinMemory<T>({ maxMemory }: Pick<TrainValues, "maxMemory">, body: () => T | Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (maxMemory !== null && isKtoError(error) && error.code === "OUT_OF_MEMORY") throw new ConfigError([describeError(error, fieldName)]);
    throw error;
  }
}

/** What `train_results.json` holds. */
function resultsOf({ metrics, globalStep, peakGpuMemoryBytes, plannedGpuMemoryBytes }: TrainOutput): Record<string, number> {
  return {
    ...metrics,
    global_step: globalStep,
    peak_gpu_memory_bytes: peakGpuMemoryBytes,
    planned_gpu_memory_bytes: plannedGpuMemoryBytes,
  };
}

/** What is said after SIGINT or SIGTERM, with the last checkpoint and how the user runs this again. */
function interruption(step: number, path: string | undefined, again = "the same command and"): string {
  if (path === undefined) return "kto: interrupted before the first update; there is nothing to resume from\n";
  return `kto: interrupted after update ${step}; the checkpoint is in ${path}\nkto: go on with ${again} --resume_from_checkpoint ${path}\n`;
}
