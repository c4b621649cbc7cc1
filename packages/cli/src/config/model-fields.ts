import {
  boolean,
  booleanOrPath,
  choice,
  field,
  integer,
  maps,
  number,
  orNull,
  path,
  redeclared,
  requiredField,
  text,
} from "@kto/core/config";
import { loraFields } from "@kto/lora";
import { rowFields } from "./row-fields.js";

/** One of several places of rows. */
export interface DatasetPart {
  /** A file, a folder, or a data set of the hub. */
  path: string;
  /** One of its configurations. */
  name?: string | null;
  split?: string | null;
  /** How likely its rows are drawn, beside those of the others. */
  weight?: number | null;
}

/** Fields of the model, its adapter and the data: what the trainer is given as objects and the command reads from places. */
export const modelFields = {
  modelNameOrPath: requiredField(path("a folder with a model, or its name on the hub"), {
    group: "model",
    help: "the model that is trained: a folder with config.json, *.safetensors and tokenizer.json, or owner/name on the hub",
    aliases: ["model"],
  }),
  modelRevision: field(text(), "main", { group: "model", help: "branch, tag or commit of a model on the hub" }),
  prefer4bitCheckpoint: field(boolean(), false, {
    group: "model",
    fate: "ours",
    onDisk: "prefer_4bit_checkpoint",
    help: "takes the hub's four-bit checkpoint of the model named",
    notes: "ours, since trl and transformers never replace a model, and unsloth does so unasked",
  }),
  adapterNameOrPath: field(orNull(path("a folder with an adapter, or its name on the hub")), null, {
    group: "model",
    fate: "ours",
    help: "continues from that adapter",
    notes: "as peft's `is_trainable=True`; the `lora_*` fields then come from its own config",
    aliases: ["adapter"],
  }),
  dtype: field(orNull(choice(["auto", "float16", "float32", "bfloat16"])), null, {
    group: "model",
    fate: "different",
    help: "type of storage and operands on the device; auto is float16 where the device has it",
    notes: "bfloat16 means auto; null is auto, or float32 with an explicit `bf16: false`",
    aliases: ["torch_dtype"],
  }),
  bf16: field(orNull(boolean()), null, {
    group: "model",
    fate: "different",
    help: "trains with float16 operands and float32 masters, and says so",
    notes: "false without a `dtype` means float32",
  }),
  fp16: field(boolean(), false, { group: "model", fate: "different", help: "as bf16", notes: "there is no dynamic loss scaler" }),
  trainFile: field(orNull(path("a data file")), null, {
    group: "data",
    fate: "ours",
    help: "the rows to train on: a JSONL, JSON, CSV, TSV or Parquet file; it or dataset_name is required",
    notes: "as `data` also what `dataset_name` takes",
    aliases: ["data"],
  }),
  datasetName: field(orNull(path("a name on the hub, or a folder with data files")), null, {
    group: "data",
    help: "the rows to train on: a data set of the hub, or a folder with data files",
    notes: "a single file too",
  }),
  datasetConfig: field(orNull(text()), null, { group: "data", help: "one of the configurations that the data set's README.md declares" }),
  datasets: field(
    maps<DatasetPart>(
      { path: path(), name: text(), split: text(), weight: number({ above: 0 }) },
      ["path"],
      "a list of maps with path, and name, split and weight where wanted",
    ),
    null,
    {
      group: "data",
      fate: "different",
      help: "several places of rows, in place of one: one after the other, or mixed by weight under seed until the first is through",
      notes:
        "each a map of `path` (a file, a folder, a data set of the hub), `name` (a configuration), `split` and `weight`; all with a weight, or none. Each part keeps its layout. trl's has `data_dir`, `data_files` and `columns` besides, and no weights; the order is that of datasets' `interleave_datasets`",
    },
  ),
  datasetTrainSplit: field(text(), "train", {
    group: "data",
    help: "the split of the data set to train on",
    notes: "no effect on a single file",
    aliases: ["dataset_split", "split"],
  }),
  maxTrainSamples: field(orNull(integer(1)), null, { group: "data", fate: "ours", help: "trains on the first N rows only" }),
  evalFile: field(orNull(path("a data file")), null, {
    group: "data",
    fate: "ours",
    help: "the rows to evaluate on, in place of a split of the data set",
  }),
  datasetTestSplit: field(text(), "test", {
    group: "data",
    help: "the split of the data set to evaluate on",
    notes: "read only with an `eval_strategy`",
  }),
  ...rowFields,
  datasetNumProc: field(orNull(integer(1)), null, {
    group: "data",
    fate: "different",
    help: "worker threads that tokenise; null is none, and the rows are the same either way",
    notes: "threads, not processes",
  }),
  tokenCache: field(booleanOrPath(), true, {
    group: "data",
    fate: "ours",
    help: "keeps tokenised rows from one run to the next: true in the cache of kto, or a folder; false does not",
    notes: "`$KTO_CACHE/tokens`, else `~/.cache/kto/tokens`; what lies there may be removed at any time: `kto cache --clear`",
  }),
  shuffleDataset: field(orNull(boolean()), null, {
    group: "data",
    fate: "different",
    help: "false keeps the order of the data, true asks for a random one",
    notes: "another spelling of `train_sampling_strategy`; no effect on KTO, which keeps the order of the data",
  }),
  chatTemplate: field({ ...orNull(path("Jinja text, a file that holds it, or a name such as chatml")), hasNone: true }, null, {
    group: "data",
    fate: "ours",
    help: "the chat template, in place of the tokenizer's: Jinja text, a file that holds it, or the name of a format such as chatml",
    aliases: ["template"],
  }),
  usePeft: field(boolean(), false, {
    group: "adapter",
    fate: "different",
    help: "trains a LoRA adapter; false, without an adapter that is named, trains every weight of the model",
    notes: "as in trl; every weight is trained and saved in float32, which takes 16 bytes a parameter with AdamW, and 20 with a reference",
  }),
  loraR: redeclared(loraFields.r, 16, { help: "rank of the adapter's matrices" }),
  loraAlpha: redeclared(loraFields.loraAlpha, 32, { help: "the adapter is scaled by lora_alpha / lora_r" }),
  loraDropout: redeclared(loraFields.loraDropout, 0.05, {
    help: "dropout on the adapter's input, in training",
    notes: "acts only with `disable_dropout: false`, as in trl",
  }),
  loraTargetModules: redeclared(loraFields.targetModules, null, {
    fate: "supported",
    help: "the layers that are adapted: names, `all-linear`, or a regular expression; null is `q_proj`, `v_proj`",
    notes: "null is peft's default for Qwen2. One bare name is a list of one, where peft would read it as an expression",
  }),
  useRslora: redeclared(loraFields.useRslora, false, { help: "scales the adapter by lora_alpha / √lora_r instead" }),
  useDora: field(boolean(), false, { group: "adapter", fate: "refused", help: "DoRA is not part of this version" }),
  loadIn4bit: field(boolean(), false, {
    group: "quantization",
    onDisk: "load_in_4bit",
    help: "quantises the decoder's linear layers of a 16- or 32-bit checkpoint while it loads",
    notes: "one of bitsandbytes is loaded as it is, with or without",
  }),
  bnb4bitQuantType: field(choice(["nf4", "fp4"]), "nf4", {
    group: "quantization",
    fate: "different",
    onDisk: "bnb_4bit_quant_type",
    help: "the four-bit format",
    notes: "`fp4` is refused with `load_in_4bit`, without effect otherwise",
  }),
  useBnbNestedQuant: field(boolean(), false, {
    group: "quantization",
    help: "the scales in 8 bits too",
    notes: "no effect on a checkpoint that is quantised already",
  }),
};
