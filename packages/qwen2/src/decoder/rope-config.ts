import { excerpt } from "@kto/core";
import { snakeCase } from "@kto/core/config";
import type { DecoderConfig } from "./config.js";
import { ropeFrequencies, type RopeInput, type RopeScaling } from "./rope-scaling.js";

/** What reading the rotary positions of a config.json needs of the rest of it. */
export interface RopeConfigContext {
  headDim: number;
  maxPositionEmbeddings: number;
  /** Throws FormatError with this text behind the name of the file. */
  fail(what: string): never;
}

type Fields = Readonly<Record<string, unknown>>;

const ropeTypes = ["default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional"];

/** Kinds of layers that newer configs may give parameters of their own. */
const layerTypes = ["full_attention", "sliding_attention"];

/** Keys that say something without scaling anything. */
const plainKeys: readonly string[] = ["rope_theta", "rope_type", "type", "partial_rotary_factor"];

/** A context length that no published model comes near. */
const mostPositions = 100_000_000;

/**
 * `rope_theta`, `rope_parameters` and `rope_scaling` of a config.json, in the spelling of transformers 5 and the older one, with its precedence: a
 * `rope_scaling` that is not empty stands for all of `rope_parameters`; `rope_theta`, `partial_rotary_factor` at the top fill in what is not there;
 * `original_max_position_embeddings` at the top comes before the one inside.
 */
export function readRope(fields: Fields, context: RopeConfigContext): { ropeTheta: number; ropeScaling: RopeScaling | undefined } {
  const { fail } = context;
  const { name, parameters } = ropeDictionary(fields, fail);
  const ropeTheta = read(parameters, "rope_theta", fields.rope_theta === undefined ? 10_000 : fields.rope_theta);
  if (!isPositive(ropeTheta)) fail(`rope_theta is not usable; expected a positive number, got ${excerpt(ropeTheta)}`);
  const type = read(parameters, "rope_type", read(parameters, "type", "default"));
  if (typeof type !== "string" || !ropeTypes.includes(type)) {
    fail(`${name} has a rope_type that transformers' Qwen2 has not; expected ${ropeTypes.join(", ")}, got ${excerpt(type)}`);
  }
  const ropeScaling = readScaling(type as string, { name, fields, parameters, ...context });
  const { headDim, maxPositionEmbeddings } = context;
  expectNumbers({ headDim, maxPositionEmbeddings, ropeTheta: ropeTheta as number, ropeScaling }, () =>
    fail(`${name} gives frequencies that are no numbers; expected usable values, got ${excerpt(parameters)}`),
  );
  return { ropeTheta: ropeTheta as number, ropeScaling };
}

/** The fields of a config.json that `readRope` reads back, in the spelling of transformers 5 where positions are scaled. */
export function writeRope({ ropeTheta, ropeScaling }: DecoderConfig): Record<string, unknown> {
  if (ropeScaling === undefined) return { rope_theta: ropeTheta };
  const entries = Object.entries(ropeScaling).map(([name, value]) => [snakeCase(name), value]);
  return { rope_parameters: { rope_theta: ropeTheta, ...Object.fromEntries(entries) } };
}

function expectNumbers(input: RopeInput, fail: () => never): void {
  for (const longest of [1, input.maxPositionEmbeddings + 1]) {
    const { inverseFrequencies, attentionFactor } = ropeFrequencies(input, longest);
    if (![...inverseFrequencies, Math.fround(attentionFactor)].every(Number.isFinite)) fail();
  }
}

function ropeDictionary(fields: Fields, fail: RopeConfigContext["fail"]): { name: string; parameters: Fields } {
  for (const name of ["rope_scaling", "rope_parameters"]) {
    const parameters = fields[name];
    if (parameters === undefined || parameters === null) continue;
    if (typeof parameters !== "object" || Array.isArray(parameters))
      fail(`${name} is no object; expected one or null, got ${excerpt(parameters)}`);
    const keys = Object.keys(parameters);
    if (keys.length === 0) continue;
    if (keys.some((key) => layerTypes.includes(key)))
      fail(
        `${name} has parameters for each type of layer, which transformers' Qwen2 does not take; expected one set for all, got ${excerpt(parameters)}`,
      );
    const unsaid = !keys.includes("rope_type") && !keys.includes("type") && keys.some((key) => !plainKeys.includes(key));
    if (unsaid)
      fail(
        `${name} is set but has no rope_type; expected null or one of ${ropeTypes.join(", ")}, got ${excerpt(parameters)}; say which scaling is meant`,
      );
    return { name, parameters: parameters as Fields };
  }
  return { name: "rope_parameters", parameters: {} };
}

interface ScalingContext extends RopeConfigContext {
  name: string;
  /** Of the whole config. */
  fields: Fields;
  parameters: Fields;
}

function readScaling(ropeType: string, context: ScalingContext): RopeScaling | undefined {
  const { name, parameters, maxPositionEmbeddings, fail } = context;
  if (ropeType === "default") return undefined;
  const number = (key: string, value: unknown = parameters[key]): number =>
    isPositive(value)
      ? value
      : fail(`${name}.${key} is not usable for rope_type "${ropeType}"; expected a positive number, got ${excerpt(value ?? null)}`);
  const optional = (key: string, otherwise: number): number => (isNothing(parameters[key]) ? otherwise : number(key));
  if (ropeType === "proportional")
    return { ropeType, factor: number("factor", read(parameters, "factor", 1)), partialRotaryFactor: partialFactor(context) };

  const rotated = Math.trunc(context.headDim * partialFactor(context));
  if (rotated !== context.headDim)
    fail(
      `partial_rotary_factor turns ${rotated} of the ${context.headDim} numbers of a head under rope_type "${ropeType}"; expected all of them, as Qwen2 has no others; drop the field`,
    );
  if (ropeType === "linear") return { ropeType, factor: number("factor") };
  if (ropeType === "dynamic") {
    if (context.headDim < 4) fail(`rope_type "dynamic" needs heads of at least 4 numbers; got ${context.headDim}`);
    return { ropeType, factor: number("factor") };
  }
  const originalMaxPositionEmbeddings = originalLength(context);
  const ratio = maxPositionEmbeddings / originalMaxPositionEmbeddings;
  if (ropeType === "llama3") {
    const [lowFreqFactor, highFreqFactor] = [number("low_freq_factor"), number("high_freq_factor")];
    if (lowFreqFactor === highFreqFactor)
      fail(`${name}.high_freq_factor equals low_freq_factor; expected a larger number, got ${highFreqFactor}`);
    return { ropeType, factor: number("factor"), lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings };
  }
  if (ropeType === "longrope") {
    const factor = optional("factor", ratio);
    const attentionFactor = optional("attention_factor", longropeAttention(factor, originalMaxPositionEmbeddings));
    const [shortFactor, longFactor] = [divisors("short_factor", context), divisors("long_factor", context)];
    return { ropeType, factor, shortFactor, longFactor, originalMaxPositionEmbeddings, attentionFactor };
  }
  if (!Object.hasOwn(parameters, "factor")) number("factor"); // null means the ratio of the lengths, nothing at all is a mistake
  const factor = optional("factor", ratio);
  return {
    ropeType: "yarn",
    factor,
    originalMaxPositionEmbeddings,
    attentionFactor: optional("attention_factor", yarnAttention(factor, context)),
    betaFast: orDefault("beta_fast", 32, context),
    betaSlow: orDefault("beta_slow", 1, context),
    truncate: yarnTruncates(context),
  };
}

/** The share of each head that is turned. */
function partialFactor({ name, fields, parameters, fail }: ScalingContext): number {
  const value = read(parameters, "partial_rotary_factor", fields.partial_rotary_factor ?? 1);
  if (typeof value !== "number" || !(value >= 0 && value <= 1))
    fail(`${name}.partial_rotary_factor is not usable; expected a number from 0 to 1, got ${excerpt(value)}`);
  return value as number;
}

function originalLength({ name, fields, parameters, maxPositionEmbeddings, fail }: ScalingContext): number {
  const key = "original_max_position_embeddings";
  const value = read(fields, key, read(parameters, key, maxPositionEmbeddings));
  if (!isPositive(value) || value > mostPositions)
    fail(`${name}.${key} is not usable; expected a number from 1 to ${mostPositions}, got ${excerpt(value)}`);
  return value as number;
}

/** One number for each pair of a head. */
function divisors(key: string, { name, parameters, headDim, fail }: ScalingContext): number[] {
  const list = parameters[key];
  if (!Array.isArray(list) || list.length !== headDim / 2 || !list.every(isPositive))
    fail(
      `${name}.${key} is not usable; expected a list of ${headDim / 2} positive numbers, half of a head's size, got ${excerpt(list ?? null)}`,
    );
  return [...(list as number[])];
}

/** √(1 + ln factor / ln length), LongRoPE's own. */
function longropeAttention(factor: number, length: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(length));
}

/** 1 + 0.1 · mscale · ln factor, over the same with `mscale_all_dim` where both are given. */
function yarnAttention(factor: number, context: ScalingContext): number {
  const scale = (mscale: number): number => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const [mscale, mscaleAllDim] = [orDefault("mscale", 0, context), orDefault("mscale_all_dim", 0, context)];
  return mscale && mscaleAllDim ? scale(mscale) / scale(mscaleAllDim) : scale(1);
}

/** A number; what is missing, null or 0 is the default. */
function orDefault(key: string, otherwise: number, { name, parameters, fail }: ScalingContext): number {
  const value = parameters[key];
  if (isNothing(value) || value === 0) return otherwise;
  if (!isPositive(value)) fail(`${name}.${key} is not usable; expected a positive number, got ${excerpt(value)}`);
  return value as number;
}

function yarnTruncates({ name, parameters, fail }: ScalingContext): boolean {
  const value = read(parameters, "truncate", true);
  if (typeof value !== "boolean" && value !== null) fail(`${name}.truncate is not usable; expected true or false, got ${excerpt(value)}`);
  return value === true;
}

/** A field; the other value only where it is not there at all, as in Python. */
function read(fields: Fields, key: string, otherwise: unknown): unknown {
  return Object.hasOwn(fields, key) && fields[key] !== undefined ? fields[key] : otherwise;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}
