import { describeError, isKtoError } from "@kto/core";
import { type GenerateOptions, type GenerationError, samplingSettings } from "@kto/generate";
import { RequestError } from "../errors.js";
import type { ServeOptions } from "../options.js";
import { type RequestFields, unusable } from "./fields.js";

/** Options of generation and the fields of a request that give them; what a request leaves out comes from the server's defaults. */
const samplingFields = {
  temperature: "temperature",
  topK: "top_k",
  topP: "top_p",
  minP: "min_p",
  repetitionPenalty: "repetition_penalty",
  seed: "seed",
} as const;

/** How tokens are chosen, and the texts at which an answer ends. Throws RequestError for a value out of range. */
export function readSampling(fields: RequestFields, { defaults = {}, generationConfig }: ServeOptions): GenerateOptions {
  const names = Object.keys(samplingFields) as (keyof typeof samplingFields)[];
  const given = Object.fromEntries(names.map((name) => [name, fields.number(samplingFields[name])] as const)) as Partial<
    Record<keyof typeof samplingFields, number | undefined>
  >;
  if (given.topK === -1) given.topK = 0; // how vLLM says all
  const { doSample, temperature, topK, topP, minP, repetitionPenalty, seed } = defaults;
  const asksForDraw = [given.temperature, given.topK, given.topP, given.minP].some((value) => value !== undefined);
  const sampling = {
    doSample: asksForDraw ? true : doSample,
    temperature: given.temperature ?? temperature,
    topK: given.topK ?? topK,
    topP: given.topP ?? topP,
    minP: given.minP ?? minP,
    repetitionPenalty: given.repetitionPenalty ?? repetitionPenalty,
    seed: given.seed ?? seed,
  };
  try {
    samplingSettings(sampling, generationConfig);
  } catch (error) {
    throw badSetting(error);
  }
  return { ...sampling, stop: readStop(fields) ?? defaults.stop };
}

/** What generation says of a setting, in the words of the request. */
function badSetting(error: unknown): unknown {
  if (!isKtoError(error) || error.code !== "GENERATION") return error;
  const name = (error as GenerationError).option as keyof typeof samplingFields | undefined;
  const param = name === undefined ? undefined : samplingFields[name];
  const message = describeError(error, (option) => samplingFields[option as keyof typeof samplingFields] ?? option);
  return new RequestError(message, { param, cause: error });
}

function readStop(fields: RequestFields): readonly string[] | undefined {
  const stop = fields.given("stop");
  if (stop === undefined) return undefined;
  const stops: unknown[] = [stop].flat();
  if (stops.length > 4 || stops.some((text) => typeof text !== "string" || text === ""))
    throw unusable("stop", "a text of at least one letter, or up to four", stop);
  return stops as string[];
}

/** How many tokens are asked for, by the newer or the older field. Throws RequestError for two numbers that differ. */
export function readLength(fields: RequestFields): number | undefined {
  const newer = fields.integer("max_completion_tokens", 1, Number.MAX_SAFE_INTEGER);
  const older = fields.integer("max_tokens", 1, Number.MAX_SAFE_INTEGER);
  if (newer !== undefined && older !== undefined && newer !== older)
    throw unusable("max_tokens", `max_completion_tokens, ${newer}, or neither`, older, "leave one out");
  return newer ?? older;
}
