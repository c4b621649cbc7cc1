import { field, integer, orNull, path, pickFields, renamed, requiredField, text } from "@kto/core/config";
import { modelFields } from "./model-fields.js";
import { rowFields } from "./row-fields.js";

const { modelNameOrPath, adapterNameOrPath } = modelFields;
const split = field(orNull(text()), null, {
  group: "data",
  help: "the split of a data set that is a folder or on the hub; without it there must be only one",
  aliases: ["dataset_train_split", "dataset_test_split", "dataset_split"],
});
const data = {
  group: "data",
  help: "the rows: a data file, a folder with data files, or a data set of the hub",
  aliases: ["train_file", "eval_file", "dataset_name"],
};
const place = path("a path or a name on the hub");

/** Model, adapter and data of the commands that read all three, under short names; those of `kto train` mean the same. */
export const inputFields = {
  model: renamed(modelNameOrPath, {
    help: modelNameOrPath.help.replace(" that is trained", ""),
    onDisk: "model",
    aliases: ["model_name_or_path"],
  }),
  adapter: renamed(adapterNameOrPath, { help: "an adapter on it", onDisk: "adapter", aliases: ["adapter_name_or_path"] }),
  data: requiredField(place, data),
  split,
  ...rowFields,
  ...pickFields(modelFields, "datasetConfig", "chatTemplate", "prefer4bitCheckpoint", "loadIn4bit", "useBnbNestedQuant", "dtype"),
};

/** The same of a command that can do without a model, and takes its data as an operand too. */
export const dataFields = {
  model: field(orNull(place), null, {
    group: "model",
    help: "a model whose tokenizer and template are used; without one nothing is tokenised",
    aliases: ["model_name_or_path"],
  }),
  data: field(orNull(place), null, { ...data, help: `${data.help}; or without a flag, as the first word` }),
  split,
  ...rowFields,
  head: field(orNull(integer(0)), 3, { group: "data", help: "how many samples are shown; null for all" }),
  ...pickFields(modelFields, "datasetConfig", "chatTemplate"),
};
