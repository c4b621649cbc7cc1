import { inGroups, map, orNull, redeclared, field, type Values } from "@kto/core/config";
import { ktoFields } from "@kto/trainer";
import { modelFields } from "./model-fields.js";
import { runFields } from "./run-fields.js";

/** Groups of fields in the order of help, tables and `resolved_config.yaml`, with their headings. */
export const fieldGroups = {
  config: "the config",
  model: "the model",
  data: "the data",
  adapter: "the adapter",
  quantization: "four-bit weights",
  loss: "the loss",
  batches: "batches",
  schedule: "how long, and the learning rate",
  optimizer: "the optimizer",
  seeds: "seeds and memory",
  generation: "what is generated",
  server: "the server",
  output: "what is written",
  logging: "logging, evaluation, checkpoints",
  push: "pushing to the hub",
  hub: "the repository",
} as const;

const all = {
  ...modelFields,
  ...ktoFields,
  optim: redeclared(ktoFields.optim, "adamw_torch_fused"),
  lrSchedulerKwargs: field(orNull(map()), null, {
    group: "schedule",
    help: "numbers of the schedule: `num_cycles`, `power`, `min_lr` and others; as a flag, JSON",
  }),
  ...runFields,
};

/** Every field of `kto train`, which are those of kto.yaml: the trainer's and the command's own. Defaults are trl 1.16's, peft's and transformers 5's. */
export const trainFields: typeof all = inGroups(all, Object.keys(fieldGroups));

/** Values of every field of `kto train`. */
export type TrainValues = Values<typeof trainFields>;

/** Name of a field of `kto train`. */
export type TrainField = keyof TrainValues;
