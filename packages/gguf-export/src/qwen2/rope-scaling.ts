import { excerpt } from "@kto/core";
import type { MetadataValue } from "../container/metadata.js";
import { type Fields, fieldsOf } from "../json-fields.js";

/** What the rest of config.json says that scaled positions depend on. */
export interface RopeContext {
  readonly config: Fields;
  readonly maxPositionEmbeddings: number;
  /** Throws FormatError with this text behind the name of the file. */
  fail(problem: string): never;
}

/** Fields that scale nothing by themselves. */
const PLAIN = ["rope_theta", "rope_type", "type", "partial_rotary_factor"];

/** Relative difference that the rounding of a config makes. */
const ROUNDING = 1e-6;

/**
 * `rope_theta` of a config.json and the keys of its scaling, as llama.cpp reads them for Qwen2: none, linear and YaRN; the others are refused by name. Read in the spelling of
 * transformers 5 (`rope_parameters`) and the older one (`rope_scaling`), which comes first.
 */
export function ropeMetadata(context: RopeContext): { ropeTheta: number; scaling: [string, MetadataValue][] } {
  const { config, fail } = context;
  const given = [config["rope_scaling"], config["rope_parameters"]].map(fieldsOf).find((fields) => Object.keys(fields).length > 0) ?? {};
  const ropeTheta = given["rope_theta"] ?? config["rope_theta"] ?? 10_000;
  if (!isPositive(ropeTheta)) fail(`rope_theta is not usable; expected a positive number, got ${excerpt(ropeTheta)}`);
  const partial = given["partial_rotary_factor"] ?? config["partial_rotary_factor"] ?? 1;
  if (partial !== 1)
    fail(`partial_rotary_factor turns a part of each head, which a GGUF file of Qwen2 cannot say; expected 1, got ${excerpt(partial)}`);
  const type = given["rope_type"] ?? given["type"];
  const isScaled = Object.keys(given).some((key) => !PLAIN.includes(key) && given[key] !== null);
  if (type === undefined && isScaled)
    fail(`positions are scaled but there is no rope_type; expected default, linear or yarn, got ${excerpt(given, 120)}`);
  if (type === undefined || type === "default") return { ropeTheta: ropeTheta as number, scaling: [] };
  if (type !== "linear" && type !== "yarn")
    fail(
      `rope_type ${excerpt(type)} cannot be said in a GGUF file of Qwen2; expected default, linear or yarn; without it llama.cpp would compute another model`,
    );
  return { ropeTheta: ropeTheta as number, scaling: scalingMetadata(type as "linear" | "yarn", given, context) };
}

function scalingMetadata(type: "linear" | "yarn", given: Fields, context: RopeContext): [string, MetadataValue][] {
  const { config, maxPositionEmbeddings, fail } = context;
  const number = (key: string, value: unknown = given[key]): number =>
    isPositive(value)
      ? value
      : fail(`${key} is not usable for rope_type "${type}"; expected a positive number, got ${excerpt(value ?? null)}`);
  const f32 = (value: number): MetadataValue => ({ type: "f32", value });
  const typeEntry: [string, MetadataValue] = ["qwen2.rope.scaling.type", { type: "string", value: type }];
  if (type === "linear") return [typeEntry, ["qwen2.rope.scaling.factor", f32(number("factor"))]];

  const originalKey = "original_max_position_embeddings";
  const original = number(originalKey, config[originalKey] ?? given[originalKey] ?? maxPositionEmbeddings);
  const factor = given["factor"] === null ? maxPositionEmbeddings / original : number("factor");
  if ((given["truncate"] ?? true) !== true)
    fail(
      `truncate ${excerpt(given["truncate"])} of rope_type "yarn" cannot be said in a GGUF file; expected true: llama.cpp rounds the bounds`,
    );
  const attention = attentionFactor(given, factor, number);
  const optional = (key: string, name: string): [string, MetadataValue][] =>
    (given[key] ?? null) === null ? [] : [[`qwen2.rope.scaling.${name}`, f32(number(key))]];
  return [
    typeEntry,
    ["qwen2.rope.scaling.factor", f32(factor)],
    ["qwen2.rope.scaling.original_context_length", { type: "u32", value: original }],
    ...optional("extrapolation_factor", "yarn_ext_factor"),
    ...(Math.abs(attention - 1) < ROUNDING ? [] : [["qwen2.rope.scaling.yarn_attn_factor", f32(attention)] as [string, MetadataValue]]),
    ...optional("beta_fast", "yarn_beta_fast"),
    ...optional("beta_slow", "yarn_beta_slow"),
  ];
}

/**
 * What llama.cpp multiplies sine and cosine with beside its own 1 + 0.1 · ln(factor), which is also what transformers takes where a config gives nothing. A config gives the whole
 * factor, so that it is divided by that.
 */
function attentionFactor(given: Fields, factor: number, number: (key: string, value?: unknown) => number): number {
  const scaleOf = (share: number): number => (factor <= 1 ? 1 : 0.1 * share * Math.log(factor) + 1);
  const whole = given["attention_factor"] ?? given["attn_factor"] ?? null;
  if (whole !== null) return number("attention_factor", whole) / scaleOf(1);
  if (!given["mscale"] || !given["mscale_all_dim"]) return 1;
  return scaleOf(number("mscale")) / scaleOf(number("mscale_all_dim")) / scaleOf(1);
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}
