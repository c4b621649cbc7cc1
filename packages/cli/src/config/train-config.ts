import { createSchedule, optimizerNote, scheduleKwargsFromDisk } from "@kto/optim";
import type { KTOConfig } from "@kto/trainer";
import { ConfigError } from "../errors.js";
import { hasSplits } from "../load/place.js";
import { checkFields, excerpt, type GivenFields } from "./read-config.js";
import { aliases, trainFields, type TrainField, type TrainValues } from "./train-fields.js";

/** A complete config of `kto train`: checked values, which of them were given, and what the user should know. */
export interface TrainConfig {
  values: TrainValues;
  given: ReadonlySet<string>;
  notes: string[];
}

/** Keys of `resolved_config.yaml` that are no fields. */
const recordKeys: readonly string[] = ["versions", "commits"];

/** Checks a train config as a whole. Throws ConfigError with every mistake. */
export function trainConfig(input: GivenFields): TrainConfig {
  const fields = new Map([...input.values].filter(([name]) => !recordKeys.includes(name)));
  const { values, given, notes, mistakes } = checkFields(trainFields, { ...input, values: fields }, aliases);
  const config = values as unknown as TrainValues;
  const place = (field: TrainField): string => input.places.get(field) ?? field;
  const require = (holds: boolean, field: TrainField, message: string): void => {
    if (!holds && !mistakes.some((mistake) => mistake.startsWith(`${place(field)}:`))) mistakes.push(`${place(field)}: ${message}`);
  };

  require(config.method === "kto", "method", `${config.method} is not part of this version; expected kto; see kto --help`);
  require(config.model_name_or_path !==
    null, "model_name_or_path", "no model is named; expected the folder of a model or its name on the hub, got none; give --model_name_or_path");
  require(config.train_file !== null ||
    config.dataset_name !==
      null, "train_file", "no data is named; expected a data file, got none; give --train_file, or --dataset_name for a data set of the hub");
  require(config.train_file === null ||
    config.dataset_name === null, "dataset_name", "there is a train_file too; expected one of the two, got both; remove one");
  require(config.use_peft ||
    config.adapter_name_or_path !==
      null, "use_peft", "full-parameter training is not part of this version; expected use_peft: true or an adapter_name_or_path, got neither; set use_peft: true");
  require(!(
    config.load_in_4bit && config.bnb_4bit_quant_type === "fp4"
  ), "bnb_4bit_quant_type", "fp4 is not offered; expected nf4, got fp4; nf4 has the smaller error at the same size");
  require(!config.use_dora, "use_dora", "DoRA is not part of this version; expected false, got true; set it to false");
  require(!config.push_to_hub, "push_to_hub", "uploads are not part of this version; expected false, got true; upload output_dir with the hub's own tools");
  const reports = [config.report_to ?? []].flat().filter((name) => name !== "none");
  require(reports.length ===
    0, "report_to", `there are no reporting services here; expected none, got ${excerpt(config.report_to)}; metrics.jsonl holds every number`);
  require(!(config.bf16 === true && config.fp16), "fp16", "bf16 is on too; expected one of the two, got both; remove one");
  require(config.loss_type !== "kto" ||
    config.per_device_train_batch_size >
      1, "per_device_train_batch_size", `too small for the loss kto, which pairs each prompt with another row's completion; expected at least 2, got ${config.per_device_train_batch_size}; raise it, or use loss_type apo_zero_unpaired`);
  require(config.eval_strategy === "no" ||
    config.eval_file !== null ||
    (config.dataset_name !== null &&
      hasSplits(
        config.dataset_name,
      )), "eval_strategy", `there is nothing to evaluate on; expected an eval_file, or a dataset_name with a split for it, got none; give one, or set eval_strategy: "no"`);
  require(!(
    config.overwrite_output_dir && (config.resume_from_checkpoint ?? false) !== false
  ), "overwrite_output_dir", "the run is to be resumed too; expected one of the two, got both; remove one");
  for (const mistake of scheduleMistakes(config)) require(false, "lr_scheduler_kwargs", mistake);
  if (mistakes.length > 0) throw new ConfigError(mistakes);

  if (config.warmup_ratio !== null && config.warmup_steps === 0) config.warmup_steps = config.warmup_ratio;
  config.warmup_ratio = null;
  const optimizer = optimizerNote(config.optim);
  if (optimizer !== undefined) notes.push(optimizer);
  if (config.optim === "adamw_torch_fused") config.optim = "adamw_torch";
  if (config.optim === "paged_adamw_8bit" || config.optim === "adamw_bnb_8bit") config.optim = "adamw_8bit";
  if (config.adapter_name_or_path !== null) {
    const unused = [...given].filter((field) => /^lora_|^use_rslora$/.test(field));
    if (unused.length > 0) notes.push(`${unused.join(", ")}: taken from the adapter's own config instead`);
  }
  if (config.lora_dropout > 0 && config.disable_dropout && given.has("lora_dropout"))
    notes.push("lora_dropout acts only with disable_dropout: false");
  if (config.shuffle_dataset === false) notes.push("shuffle_dataset has no effect on KTO, whose rows keep the file's order");
  return { values: config, given, notes };
}

/** The trainer's arguments. */
export function trainerArguments(values: TrainValues): Partial<KTOConfig> {
  return {
    perDeviceTrainBatchSize: values.per_device_train_batch_size,
    perDeviceEvalBatchSize: values.per_device_eval_batch_size,
    gradientAccumulationSteps: values.gradient_accumulation_steps,
    numTrainEpochs: values.num_train_epochs,
    maxSteps: values.max_steps === 0 ? -1 : values.max_steps,
    learningRate: values.learning_rate,
    lrSchedulerType: values.lr_scheduler_type,
    lrSchedulerKwargs: { ...scheduleKwargsFromDisk(values.lr_scheduler_kwargs ?? {}) },
    warmupSteps: values.warmup_steps,
    optim: values.optim,
    weightDecay: values.weight_decay,
    adamBeta1: values.adam_beta1,
    adamBeta2: values.adam_beta2,
    adamEpsilon: values.adam_epsilon,
    maxGradNorm: values.max_grad_norm,
    beta: values.beta,
    desirableWeight: values.desirable_weight,
    undesirableWeight: values.undesirable_weight,
    lossType: values.loss_type,
    maxLength: values.max_length,
    precomputeRefLogProbs: values.precompute_ref_log_probs,
    precomputeRefBatchSize: values.precompute_ref_batch_size,
    gradientCheckpointing: values.gradient_checkpointing,
    disableDropout: values.disable_dropout,
    loggingStrategy: values.logging_strategy,
    loggingSteps: values.logging_steps,
    loggingFirstStep: values.logging_first_step,
    evalStrategy: values.eval_strategy,
    evalSteps: values.eval_steps,
    saveStrategy: values.save_strategy,
    saveSteps: values.save_steps,
    saveTotalLimit: values.save_total_limit,
    seed: values.seed,
  };
}

/** What the schedule itself says of its name and arguments. */
function scheduleMistakes({ lr_scheduler_type: name, lr_scheduler_kwargs: kwargs, learning_rate: learningRate }: TrainValues): string[] {
  try {
    createSchedule({ name, learningRate, numTrainingSteps: 10, kwargs: scheduleKwargsFromDisk(kwargs ?? {}) });
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
