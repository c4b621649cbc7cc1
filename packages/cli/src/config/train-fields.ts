import { optimizerNames, scheduleNames, type ScheduleName } from "@kto/optim";
import {
  boolean,
  booleanOr,
  booleanOrText,
  choice,
  integer,
  map,
  memorySize,
  names,
  nullable,
  number,
  text,
  type Field,
} from "./field-types.js";

const strategies = ["no", "steps", "epoch"];

/** Values of every field of `kto train`, under their names on disk. */
export interface TrainValues {
  method: "kto" | "dpo" | "sft";
  model_name_or_path: string | null;
  model_revision: string;
  prefer_4bit_checkpoint: boolean;
  adapter_name_or_path: string | null;
  reference: "initial" | "base";
  dtype: "auto" | "float16" | "float32" | "bfloat16" | null;
  bf16: boolean | null;
  fp16: boolean;
  train_file: string | null;
  dataset_name: string | null;
  dataset_config: string | null;
  dataset_train_split: string;
  max_train_samples: number | null;
  eval_file: string | null;
  dataset_test_split: string;
  dataset_num_proc: number | null;
  shuffle_dataset: boolean | null;
  chat_template: string | null;
  max_length: number | null;
  use_peft: boolean;
  lora_r: number;
  lora_alpha: number;
  lora_dropout: number;
  lora_target_modules: string | string[] | null;
  use_rslora: boolean;
  use_dora: boolean;
  disable_dropout: boolean;
  load_in_4bit: boolean;
  bnb_4bit_quant_type: "nf4" | "fp4";
  use_bnb_nested_quant: boolean;
  beta: number;
  desirable_weight: number;
  undesirable_weight: number;
  loss_type: "kto" | "apo_zero_unpaired";
  precompute_ref_log_probs: boolean;
  precompute_ref_batch_size: number | null;
  per_device_train_batch_size: number;
  per_device_eval_batch_size: number;
  gradient_accumulation_steps: number;
  gradient_checkpointing: boolean | "auto";
  num_train_epochs: number;
  max_steps: number;
  learning_rate: number;
  lr_scheduler_type: ScheduleName;
  lr_scheduler_kwargs: Record<string, unknown> | null;
  warmup_steps: number;
  warmup_ratio: number | null;
  optim: string;
  weight_decay: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  max_grad_norm: number;
  seed: number;
  data_seed: number | null;
  max_memory: number | null;
  output_dir: string;
  overwrite_output_dir: boolean;
  resume_from_checkpoint: boolean | string | null;
  logging_strategy: "no" | "steps" | "epoch";
  logging_steps: number;
  logging_first_step: boolean;
  eval_strategy: "no" | "steps" | "epoch";
  eval_steps: number | null;
  save_strategy: "no" | "steps" | "epoch";
  save_steps: number;
  save_total_limit: number | null;
  report_to: string | string[] | null;
  push_to_hub: boolean;
  hub_model_id: string | null;
}

/** Every field of `kto train`. Names and defaults are those of trl 1.16, peft and transformers 5; what differs is in docs/cli.md. */
export const trainFields: { readonly [Name in keyof TrainValues]: Field } = {
  // what to train
  method: choice(["kto", "dpo", "sft"], "kto"),
  model_name_or_path: text(null),
  model_revision: text("main"),
  prefer_4bit_checkpoint: boolean(false),
  adapter_name_or_path: text(null),
  reference: choice(["initial", "base"], "initial"),
  dtype: choice(["auto", "float16", "float32", "bfloat16"], null),
  bf16: boolean(null),
  fp16: boolean(false),
  // on what
  train_file: text(null),
  dataset_name: text(null),
  dataset_config: text(null),
  dataset_train_split: text("train"),
  max_train_samples: integer(1, null),
  eval_file: text(null),
  dataset_test_split: text("test"),
  dataset_num_proc: integer(1, null),
  shuffle_dataset: boolean(null),
  chat_template: text(null),
  max_length: nullable(integer(2, 1024)),
  // the adapter
  use_peft: boolean(false),
  lora_r: integer(1, 16),
  lora_alpha: number({ above: 0 }, 32),
  lora_dropout: number({ min: 0, below: 1 }, 0.05),
  lora_target_modules: names(null),
  use_rslora: boolean(false),
  use_dora: boolean(false),
  disable_dropout: boolean(true),
  load_in_4bit: boolean(false),
  bnb_4bit_quant_type: choice(["nf4", "fp4"], "nf4"),
  use_bnb_nested_quant: boolean(false),
  // the loss
  beta: number({ above: 0 }, 0.1),
  desirable_weight: number({ min: 0 }, 1),
  undesirable_weight: number({ min: 0 }, 1),
  loss_type: choice(["kto", "apo_zero_unpaired"], "kto"),
  precompute_ref_log_probs: boolean(false),
  precompute_ref_batch_size: integer(1, null),
  // the loop
  per_device_train_batch_size: integer(1, 8),
  per_device_eval_batch_size: integer(1, 8),
  gradient_accumulation_steps: integer(1, 1),
  gradient_checkpointing: booleanOr(["auto"], "auto"),
  num_train_epochs: number({ above: 0 }, 3),
  max_steps: integer(-1, -1),
  learning_rate: number({ min: 0 }, 1e-6),
  lr_scheduler_type: choice(scheduleNames, "linear"),
  lr_scheduler_kwargs: map(null),
  warmup_steps: number({ min: 0 }, 0),
  warmup_ratio: number({ min: 0, below: 1 }, null),
  optim: choice(optimizerNames, "adamw_torch_fused"),
  weight_decay: number({ min: 0 }, 0),
  adam_beta1: number({ min: 0, below: 1 }, 0.9),
  adam_beta2: number({ min: 0, below: 1 }, 0.999),
  adam_epsilon: number({ min: 0 }, 1e-8),
  max_grad_norm: number({ min: 0 }, 1),
  seed: integer(0, 42),
  data_seed: integer(0, null),
  max_memory: memorySize(null),
  // what is written
  output_dir: text("trainer_output"),
  overwrite_output_dir: boolean(false),
  resume_from_checkpoint: booleanOrText(null),
  logging_strategy: choice(strategies, "steps"),
  logging_steps: integer(1, 10),
  logging_first_step: boolean(false),
  eval_strategy: choice(strategies, "no"),
  eval_steps: integer(1, null),
  save_strategy: choice(strategies, "steps"),
  save_steps: integer(1, 500),
  save_total_limit: integer(1, null),
  report_to: names(null),
  push_to_hub: boolean(false),
  hub_model_id: text(null),
};

/** Name of a field of `kto train`. */
export type TrainField = keyof TrainValues;

/** Other names of fields, as older versions of trl and transformers spell them. */
export const aliases: Readonly<Record<string, TrainField>> = {
  torch_dtype: "dtype",
  evaluation_strategy: "eval_strategy",
  dataset_split: "dataset_train_split",
};
