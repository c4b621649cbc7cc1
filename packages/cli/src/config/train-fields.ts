import { choice, inGroups, map, orNull, redeclared, field, type Field, type Fields, type Values } from "@kto/core/config";
import { ktoFields, trainingFields } from "@kto/trainer";
import { methods, type TrainMethod } from "../methods/index.js";
import { ktoMoreFields } from "../methods/kto.js";
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

/** How a model is trained. */
export const methodField: Field<string> = field(choice(methods.map(({ name }) => name)), methods[0]!.name, {
  group: "model",
  fate: "ours",
  help: "how it is trained",
  notes: "`kto dpo` and the like are `kto train` with the method named",
});

/** Fields of `kto train` that the command declares for every method, above those of the method's trainer. */
const commandFields = {
  optim: redeclared(trainingFields.optim, "adamw_torch_fused"),
  lrSchedulerKwargs: field(orNull(map()), null, {
    group: "schedule",
    help: "numbers of the schedule: `num_cycles`, `power`, `min_lr` and others; as a flag, JSON",
  }),
  ...runFields,
};

/** A method's fields, together with what the command reads from places. */
function withCommand<Own extends Fields>(own: Own) {
  const all = { method: methodField, ...modelFields, ...own, ...commandFields };
  return inGroups(all, Object.keys(fieldGroups));
}

/** Fields of `kto train` that every method has. */
export const sharedFields = withCommand(trainingFields);

/** Fields of `kto train` with KTO, the method where none is named. */
export const trainFields = withCommand({ ...ktoFields, ...ktoMoreFields });

const byMethod: ReadonlyMap<string, Fields> = new Map(
  methods.map(({ name, fields, moreFields }) => [name, withCommand({ ...fields, ...moreFields })]),
);

/** Every field of `kto train` with a method, which are those of its kto.yaml: the trainer's and the command's own. Defaults are trl 1.16's, peft's and transformers 5's. */
export function fieldsOf({ name }: TrainMethod): Fields {
  return byMethod.get(name)!;
}

/** The fields of all methods together, by default those of `kto train`. Of fields that take a list with one method and a word with another, the list. */
export function unionOf(fieldsFor: (method: TrainMethod) => Fields = fieldsOf): Fields {
  const all = methods.flatMap((method) => Object.entries(fieldsFor(method)));
  return inGroups(Object.fromEntries([...all, ...all.filter(([, { kind }]) => kind === "list")]), Object.keys(fieldGroups));
}

/** What a command line of `kto train` may hold before its method is known. */
export const anyFields: Fields = unionOf();

/** Values of the fields that every method has; those of a method stand beside them. */
export type TrainValues = Values<typeof sharedFields>;

/** Name of such a field. */
export type TrainField = keyof TrainValues;
