import { PeftModel } from "@kto/lora";
import { KTOTrainer, prepareKtoDataset, type KTOConfig } from "@kto/trainer";
import { checkFields } from "../config/read-config.js";
import { ConfigError, exitStatus } from "../errors.js";
import { openDevice } from "../load/device.js";
import { loadModel, operandDtype, withAdapter } from "../load/model-folder.js";
import { describeData } from "../render/banner.js";
import { formatNumber } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";
import { choice } from "../config/field-types.js";
import { openModelAndData, type ModelAndDataValues } from "./model-and-data.js";
import { dataChoice, expectNoOperands, modelAndData, pickFields, quantization, quantizationFields, required } from "./shared-fields.js";

export const evaluateCommand: Command = {
  name: "evaluate",
  summary: "the trainer's evaluation: loss, rewards, margins, KL",
  usage: "kto evaluate --model M [--adapter A] --data FILE|ID [--field value …]",
  fields: {
    ...modelAndData,
    ...dataChoice,
    ...quantizationFields,
    ...pickFields(
      "dtype",
      "max_length",
      "per_device_eval_batch_size",
      "per_device_train_batch_size",
      "chat_template",
      "seed",
      "beta",
      "desirable_weight",
      "undesirable_weight",
      "loss_type",
      "prefer_4bit_checkpoint",
    ),
    reference: choice(["initial", "base"], "base"),
  },
  run: evaluate,
};

interface EvaluateValues extends ModelAndDataValues {
  load_in_4bit: boolean;
  use_bnb_nested_quant: boolean;
  dtype: string | null;
  max_length: number | null;
  per_device_eval_batch_size: number;
  per_device_train_batch_size: number;
  beta: number;
  desirable_weight: number;
  undesirable_weight: number;
  loss_type: "kto" | "apo_zero_unpaired";
  reference: "initial" | "base";
}

async function evaluate(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const { values: checked, mistakes } = checkFields(evaluateCommand.fields, input.fields);
  mistakes.push(...expectNoOperands("evaluate", input.operands), ...required(checked, "model", "data"));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const values = checked as unknown as EvaluateValues;
  const args: Partial<KTOConfig> = {
    maxLength: values.max_length,
    perDeviceTrainBatchSize: values.per_device_train_batch_size,
    perDeviceEvalBatchSize: values.per_device_eval_batch_size,
    beta: values.beta,
    desirableWeight: values.desirable_weight,
    undesirableWeight: values.undesirable_weight,
    lossType: values.loss_type,
  };
  const { dataset, adapter, folder, text } = await openModelAndData(values, input);
  const prepared = await prepareKtoDataset(dataset, {
    ...args,
    ...text,
    ...(io.signal ? { signal: io.signal } : {}),
  });

  await using device = await openDevice(options.device, io, console);
  using base = await loadModel(folder, {
    device,
    dtype: operandDtype(values.dtype ?? "auto", device),
    console,
    ...quantization(values),
    ...(io.signal ? { signal: io.signal } : {}),
  });
  using model = adapter === undefined ? new PeftModel(base) : await withAdapter(base, adapter);
  describeData(console, prepared, "data");
  input.begin();
  const progress = console.progress("evaluating", prepared.rows.length);
  const trainer = new KTOTrainer({
    model,
    args,
    prepared: { eval: prepared },
    reference: values.adapter === null ? "base" : values.reference,
    onEvent: (event) => event.type === "evaluateProgress" && progress.update(event.done),
  });
  const metrics = await trainer.evaluate(io.signal ? { signal: io.signal } : {});
  progress.stop();
  if (options.json) io.stdout.write(`${JSON.stringify(metrics)}\n`);
  else for (const [name, value] of Object.entries(metrics)) io.stdout.write(`${name.padEnd(28)}${formatNumber(value, 6)}\n`);
  return exitStatus.done;
}
