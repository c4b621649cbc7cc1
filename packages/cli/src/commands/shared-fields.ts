import type { QuantizeOnLoad } from "@kto/qwen2";
import { integer, nullable, text, type Field } from "../config/field-types.js";
import { trainFields, type TrainField } from "../config/train-fields.js";

/** Some of the fields of `kto train`, with the same meaning and default. */
export function pickFields(...names: readonly TrainField[]): Record<string, Field> {
  return Object.fromEntries(names.map((name) => [name, trainFields[name]]));
}

/** `--model`, `--adapter` and `--data` of the commands that read all three. */
export const modelAndData: Readonly<Record<string, Field>> = { model: text(null), adapter: text(null), data: text(null) };

/** `--split` and `--dataset_config`: which part of a data set that is a folder or on the hub. */
export const dataChoice: Readonly<Record<string, Field>> = { split: text(null), ...pickFields("dataset_config") };

/** How a 16-bit model is loaded, for an adapter that was trained on it in four bits. */
export const quantizationFields: Readonly<Record<string, Field>> = pickFields("load_in_4bit", "use_bnb_nested_quant");

/** What `load_in_4bit` asks of the loader. */
export function quantization(values: { load_in_4bit: boolean; use_bnb_nested_quant: boolean }): { quantization?: QuantizeOnLoad } {
  return values.load_in_4bit ? { quantization: { loadIn4bit: true, bnb4bitUseDoubleQuant: values.use_bnb_nested_quant } } : {};
}

/** `--head`: how many samples are shown. */
export const head: Field = nullable(integer(0, 3));

/** A mistake for each flag that is missing. */
export function required(values: Readonly<Record<string, unknown>>, ...names: readonly string[]): string[] {
  return names
    .filter((name) => values[name] === null)
    .map((name) => `--${name}: missing; expected a path or a name on the hub, got none; give --${name}`);
}

/** A mistake where a command takes no words beside its flags. */
export function expectNoOperands(command: string, operands: readonly string[]): string[] {
  return operands.length === 0
    ? []
    : [`${command}: not usable; expected flags only, got ${JSON.stringify(operands.join(" "))}; see kto ${command} --help`];
}
