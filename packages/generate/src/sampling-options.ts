import { maxTopLogProbs, type SamplingSettings } from "@kto/tensor";
import { excerpt } from "@kto/core";
import { GenerationError } from "./errors.js";

/** How the next token is chosen; names, order and meaning as in transformers' GenerationConfig. What is left out comes from `generation_config.json`. */
export interface SamplingOptions {
  /** Draw, or take the likeliest token (false). Default: what the model's config says, else true where any of the four below asks for a draw. */
  doSample?: boolean | undefined;
  /** At least 0; 0 takes the likeliest token. Default 1. */
  temperature?: number | undefined;
  /** 0 keeps all. Default 50, as in transformers. */
  topK?: number | undefined;
  /** Above 0, at most 1. Default 1. */
  topP?: number | undefined;
  /** From 0 to 1. Default 0. */
  minP?: number | undefined;
  /** Above 0; 1 leaves the scores. Counts prompt and answer. Default 1. */
  repetitionPenalty?: number | undefined;
  /** The same seed gives the same tokens on the same device. Default: another each time. */
  seed?: number | undefined;
}

/** Fields of `generation_config.json` that are read. */
export interface GenerationDefaults {
  readonly [field: string]: unknown;
  readonly do_sample?: unknown;
  readonly temperature?: unknown;
  readonly top_k?: unknown;
  readonly top_p?: unknown;
  readonly min_p?: unknown;
  readonly repetition_penalty?: unknown;
  readonly max_new_tokens?: unknown;
  readonly eos_token_id?: unknown;
}

const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

const ranges: { [Name in keyof Required<SamplingOptions>]: { onDisk: string; holds: (value: number) => boolean; expected: string } } = {
  doSample: { onDisk: "do_sample", holds: () => true, expected: "true or false" },
  temperature: { onDisk: "temperature", holds: (value) => value >= 0 && value < Infinity, expected: "a number of at least 0" },
  topK: { onDisk: "top_k", holds: (value) => isWhole(value) && value < 2 ** 32, expected: "a whole number of at least 0" },
  topP: { onDisk: "top_p", holds: (value) => value > 0 && value <= 1, expected: "a number above 0 and at most 1" },
  minP: { onDisk: "min_p", holds: (value) => value >= 0 && value <= 1, expected: "a number from 0 to 1" },
  repetitionPenalty: { onDisk: "repetition_penalty", holds: (value) => value > 0 && value < Infinity, expected: "a number above 0" },
  seed: { onDisk: "seed", holds: isWhole, expected: "a whole number of at least 0" },
};

/**
 * Options and defaults as numbers for every row, and the seed that was used. A `topK` that keeps the whole vocabulary is 0. Throws GenerationError for a value
 * out of range, from wherever it comes.
 */
export function samplingSettings(
  options: SamplingOptions,
  defaults: GenerationDefaults = {},
  vocabSize: number = Infinity,
): { sampling: Omit<SamplingSettings, "numDrawn" | "seenRow">; seed: number } {
  const value = (name: Exclude<keyof SamplingOptions, "doSample">, initial: number): number => {
    const { onDisk, holds, expected } = ranges[name];
    const given = options[name];
    const found = given ?? (name === "seed" ? undefined : defaults[onDisk]) ?? initial;
    if (typeof found === "number" && holds(found)) return found;
    throw outOfRange(given === undefined ? `${onDisk} of generation_config.json` : `{${name}}`, name, expected, found);
  };
  const asked = [options.temperature, options.topK, options.topP, options.minP].some((given) => given !== undefined);
  const doSample = options.doSample ?? defaults.do_sample ?? asked;
  if (typeof doSample !== "boolean") throw outOfRange("{doSample}", "doSample", ranges.doSample.expected, doSample);
  const temperature = value("temperature", 1);
  const topK = value("topK", 50);
  const seed = value("seed", Math.floor(Math.random() * 2 ** 48));
  return {
    sampling: {
      temperature: doSample ? temperature : 0,
      topK: topK < vocabSize ? topK : 0,
      topP: value("topP", 1),
      minP: value("minP", 0),
      repetitionPenalty: value("repetitionPenalty", 1),
      seed: [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0],
    },
    seed,
  };
}

/** Tokens of an answer at most: what is asked for, else what the model's config says, else undefined. Throws GenerationError for no whole number of at least 1. */
export function maxNewTokensOf(given: number | undefined, defaults: GenerationDefaults): number | undefined {
  const found = given ?? defaults.max_new_tokens ?? undefined;
  if (found === undefined || (typeof found === "number" && isWhole(found) && found >= 1)) return found;
  const place = given === undefined ? "max_new_tokens of generation_config.json" : "{maxNewTokens}";
  throw outOfRange(place, "maxNewTokens", "a whole number of at least 1", found);
}

/** Throws GenerationError unless a number of likeliest tokens is a whole number from 0 to 20. */
export function expectLogprobs(value: number | undefined): void {
  if (value === undefined || (isWhole(value) && value <= maxTopLogProbs)) return;
  throw outOfRange("{logprobs}", "logprobs", `a whole number from 0 to ${maxTopLogProbs}`, value);
}

/** The error of a value that an option, or a field of `generation_config.json`, does not take. */
export function outOfRange(place: string, option: string, expected: string, got: unknown): GenerationError {
  return new GenerationError(
    { operation: "generate", problem: `${place} is not usable`, expected, got: excerpt(got), fields: [option] },
    { option },
  );
}
