import { GenerationError } from "./errors.js";
import type { GenerateOptions, GenerationTokenizer } from "./generation.js";
import { type GenerationDefaults, outOfRange } from "./sampling-options.js";

/**
 * Where an answer ends. Ids: those that are asked for; else those of `generation_config.json`, as in transformers; else the tokenizer's. A chat template that
 * was given to the tokenizer has ends of its own, which count besides. Texts: those that are asked for, and that template's. Throws GenerationError.
 */
export function answerEnd(
  { eosTokenId, stop = [] }: Pick<GenerateOptions, "eosTokenId" | "stop">,
  defaults: GenerationDefaults,
  tokenizer: GenerationTokenizer | undefined,
): { eosTokenIds: readonly number[]; stops: readonly string[] } {
  const stops: readonly unknown[] = [stop].flat();
  if (!stops.every((text) => typeof text === "string" && text !== ""))
    throw new GenerationError(
      { operation: "generate", problem: "{stop} holds an empty text", expected: "texts of at least one letter", fields: ["stop"] },
      { option: "stop" },
    );
  if (eosTokenId !== undefined) return { eosTokenIds: idsOf("{eosTokenId}", eosTokenId), stops: stops as string[] };
  const own = defaults.eos_token_id ?? tokenizer?.eosTokenIds ?? [];
  const ids = [...idsOf("eos_token_id of generation_config.json", own), ...(tokenizer?.stopTokenIds ?? [])];
  return { eosTokenIds: [...new Set(ids)], stops: [...(stops as string[]), ...(tokenizer?.stopStrings ?? [])] };
}

function idsOf(place: string, given: unknown): number[] {
  const ids: unknown[] = [given].flat();
  if (ids.every((id): id is number => Number.isSafeInteger(id) && (id as number) >= 0)) return ids;
  throw outOfRange(place, "eosTokenId", "the id of a token, or several", given);
}
