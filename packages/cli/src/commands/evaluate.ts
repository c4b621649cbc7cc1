import { pickFields, redeclared } from "@kto/core/config";
import { loadAdapter } from "@kto/kit";
import { PeftModel } from "@kto/lora";
import { KTOTrainer, prepareKtoDataset, type KTOConfig } from "@kto/trainer";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { inputFields } from "../config/input-fields.js";
import { trainFields } from "../config/train-fields.js";
import { exitStatus } from "../errors.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import { describeData } from "../render/banner.js";
import { formatNumber } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";
import { openModelAndData } from "./model-and-data.js";

/** What the trainer's evaluation takes of its arguments. */
const argumentFields = pickFields(
  trainFields,
  "maxLength",
  "perDeviceTrainBatchSize",
  "perDeviceEvalBatchSize",
  "beta",
  "desirableWeight",
  "undesirableWeight",
  "lossType",
);
const evaluateFields = {
  ...inputFields,
  ...argumentFields,
  ...pickFields(trainFields, "seed"),
  reference: redeclared(trainFields.reference, "base", { help: "what the adapter is compared with: base, or initial, the adapter itself" }),
};

export const evaluateCommand: Command = {
  name: "evaluate",
  summary: "the trainer's evaluation: loss, rewards, margins, KL",
  usage: "kto evaluate --model M [--adapter A] --data FILE|ID [--field value …]",
  examples: [["kto evaluate --model Qwen/Qwen2-0.5B --adapter outputs --data eval.jsonl", "an adapter against its base model"]],
  fields: evaluateFields,
  run: evaluate,
};

async function evaluate(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const values = commandValues("evaluate", evaluateFields, input, expectNoOperands("evaluate", input.operands));
  const names = Object.keys(argumentFields) as (keyof typeof argumentFields)[];
  const args: Partial<KTOConfig> = Object.fromEntries(names.map((name) => [name, values[name]]));
  const { dataset, adapter, model: files, text } = await openModelAndData(values, input);
  const prepared = await prepareKtoDataset(dataset, { ...args, ...text, strict: values.strict, signal: io.signal });

  await using device = await commandDevice(input);
  using base = await loadWeights(files, device, console, { ...values, dtype: operandDtype(values.dtype, device), signal: io.signal });
  using model = adapter === undefined ? new PeftModel(base) : await loadAdapter(base, adapter);
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
  const metrics = await trainer.evaluate({ signal: io.signal });
  progress.stop();
  if (options.json) io.stdout.write(`${JSON.stringify(metrics)}\n`);
  else for (const [name, value] of Object.entries(metrics)) io.stdout.write(`${name.padEnd(28)}${formatNumber(value, 6)}\n`);
  return exitStatus.done;
}
