import { readFileSync } from "node:fs";
import { describeFields, tableCell, type FieldDescription, type OtherField } from "@kto/core/config";
import { QuantizationConfigError, readQuantizationConfig, writeQuantizationConfig, type QuantizationConfig } from "@kto/nf4";
import { otherFields } from "../packages/cli/src/config/other-fields.js";
import { fieldsOf } from "../packages/cli/src/config/train-fields.js";
import { methodNamed, methods } from "../packages/cli/src/methods/index.js";

/** Fields of trl 1.16's classes with their defaults: all of KTOConfig, of the other methods' configs those that are their own. */
const classes = JSON.parse(readFileSync(new URL("../packages/cli/src/config/trl-fields.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, unknown>
>;

const configOf = (method: string): Record<string, unknown> => classes[`${method.toUpperCase()}Config`]!;

/** True for a field of KTOConfig that every trainer of transformers has, and so every config of trl. */
function isInherited(name: string): boolean {
  const others = methods.filter((method) => method.name !== "kto").map((method) => configOf(method.name));
  return !others.some((fields) => Object.hasOwn(fields, name) && name !== "learning_rate") && !ktoAlone.has(name);
}

const ktoAlone = new Set(["desirable_weight", "undesirable_weight"]);

/** What becomes of each field of a method's config in trl that the method does not share with all trainers. */
export function configTable(method: string): string[] {
  const fields = Object.entries(configOf(method)).filter(([name]) => method !== "kto" || !isInherited(name));
  return fateTable(Object.fromEntries(fields), method);
}

/** What becomes of each field that trl's configs have from transformers. */
export function trainingArgumentsTable(): string[] {
  return fateTable(Object.fromEntries(Object.entries(configOf("kto")).filter(([name]) => isInherited(name))), "kto");
}

/** What becomes of the fields of trl's command that name model, adapter and data. */
export function commandTable(): string[] {
  return fateTable({ ...classes["ModelConfig"], ...classes["ScriptArguments"], ...classes["DatasetMixtureConfig"] }, "kto");
}

function fateTable(fields: Readonly<Record<string, unknown>>, method: string): string[] {
  const described = describeFields(fieldsOf(methodNamed(method)));
  const rows = Object.entries(fields).map(([name, initial]) => {
    const ours = described.find((one) => one.name === name || one.aliases.includes(name));
    const { fate, about, ownDefault } = ours ? ofField(ours, name, initial) : ofOther(otherFields[name], name);
    return `| \`${name}\` | ${fate} | ${textOf(initial)} | ${ownDefault} | ${tableCell(about)} |`;
  });
  return ["| field | here | default in trl | where ours is another | what it does here |", "| --- | --- | --- | --- | --- |", ...rows];
}

interface Fate {
  fate: string;
  about: string;
  ownDefault: string;
}

function ofField({ name, fate, help, notes, initial, isRequired }: FieldDescription, asked: string, theirs: unknown): Fate {
  const spelling = name === asked ? "" : `another spelling of \`${name}\`: `;
  const about = `${spelling}${notes === undefined ? help : `${help}; ${notes}`}`;
  const ownDefault = isRequired ? "required" : isSame(initial, theirs) ? "" : `\`${initial ?? "null"}\``;
  return { fate: fate === "ours" ? "different" : fate, about, ownDefault };
}

function ofOther(other: OtherField | undefined, name: string): Fate {
  if (!other) throw new Error(`trl-tables: the field ${name} of trl is not known; expected it among our fields or in other-fields.ts`);
  const { fate, why, instead, off } = other;
  const means = off.filter((value) => JSON.stringify(value) !== "{}").map((value) => `\`${JSON.stringify(value)}\``);
  const about =
    fate === "ignored"
      ? (why ?? "taken without effect")
      : [why, instead, means.length > 0 ? `taken where it is null or ${means.join(", ")}` : "taken where it is null"]
          .filter(Boolean)
          .join("; ");
  return { fate, about, ownDefault: "" };
}

/** Whether our default, in words, is theirs. */
function isSame(ours: string | undefined, theirs: unknown): boolean {
  if (ours === undefined || theirs === null) return ours === undefined && theirs === null;
  if (ours === theirs || ours === JSON.stringify(theirs)) return true;
  return typeof theirs === "number" && Number(ours) === theirs;
}

function textOf(value: unknown): string {
  return value === "" ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``.replaceAll("|", "\\|");
}

/** Of each field of BitsAndBytesConfig what it means here; what becomes of it is found by reading configs that have it. */
const quantizationNotes: Readonly<Record<string, string>> = {
  load_in_4bit: "has to be true in a `quantization_config`; as a field of a run it quantises a 16- or 32-bit checkpoint while it loads",
  load_in_8bit: "eight-bit weights are not read",
  bnb_4bit_quant_type: "`nf4`; with `fp4`, which is transformers' default where the field is missing, the model is not read",
  bnb_4bit_compute_dtype: "kept and written again; products have operands of the device's dtype and float32 sums",
  bnb_4bit_use_double_quant: "scales in 8 bits; as a field of a run it is `use_bnb_nested_quant`",
  bnb_4bit_quant_storage: "the dtype under which packed codes are stored; any is read",
  llm_int8_skip_modules: "modules left in 16 bits",
  llm_int8_threshold: "of eight-bit weights, which are not read",
  llm_int8_enable_fp32_cpu_offload: "of eight-bit weights, which are not read",
  llm_int8_has_fp16_weight: "of eight-bit weights, which are not read",
};

/** BitsAndBytesConfig as `quantization_config` of a model: each field is changed, and the reader's answer tells what becomes of it. */
export function quantizationTable(): string[] {
  const config: QuantizationConfig = {
    loadIn4bit: true,
    bnb4bitQuantType: "nf4",
    bnb4bitComputeDtype: "bfloat16",
    bnb4bitUseDoubleQuant: true,
    bnb4bitQuantStorage: "uint8",
    llmInt8SkipModules: null,
  };
  const written = writeQuantizationConfig(config);
  const names = Object.keys(written).filter((name) => !name.startsWith("_") && name !== "quant_method");
  const lost = [
    ...names.filter((name) => !(name in quantizationNotes)),
    ...Object.keys(quantizationNotes).filter((name) => !names.includes(name)),
  ];
  if (lost.length > 0)
    throw new Error(`trl-tables: ${lost.join(", ")} has a note and is not written, or the reverse; expected the same fields in both`);
  const rows = names.map(
    (name) => `| \`${name}\` | ${quantizationFate(written, name)} | \`${JSON.stringify(written[name])}\` | ${quantizationNotes[name]} |`,
  );
  return ["| field | here | as it is written | what it does here |", "| --- | --- | --- | --- |", ...rows];
}

function quantizationFate(written: Readonly<Record<string, unknown>>, name: string): string {
  const read = (fields: object): string => JSON.stringify(readQuantizationConfig(fields, "config.json"));
  const plain = { ...written, _load_in_4bit: undefined, _load_in_8bit: undefined };
  const others: readonly unknown[] = [!written[name], "fp4", "float16", ["lm_head"], 3.5];
  const answers = others.map((value) => {
    try {
      return read({ ...plain, [name]: value }) === read(plain) ? "ignored" : "supported";
    } catch (error) {
      if (error instanceof QuantizationConfigError) return "refused";
      throw error;
    }
  });
  if (answers.includes("supported")) return "supported";
  return answers.includes("refused") ? (name === "load_in_8bit" ? "refused" : "one value only") : "ignored";
}
