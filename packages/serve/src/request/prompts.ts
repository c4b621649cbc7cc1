import type { GenerationTokenizer } from "@kto/generate";
import { missing, unusable } from "./fields.js";

/** The prompts of a completion request as ids: a text, ids, or a list of either. Throws RequestError for anything else. */
export function readPrompts(given: unknown, tokenizer: GenerationTokenizer, vocabSize: number): (readonly number[])[] {
  if (given === undefined) throw missing("prompt", "a text, or a list of ids");
  if (typeof given === "string") return [tokenizer.encode(given)];
  if (!Array.isArray(given) || given.length === 0) throw unusable("prompt", "a text, a list of ids, or a list of either", given);
  if (given.every((id) => typeof id === "number")) return [checkIds(given, "prompt", vocabSize)];
  return given.map((prompt: unknown, index) => {
    const place = `prompt[${index}]`;
    if (typeof prompt === "string") return tokenizer.encode(prompt);
    if (Array.isArray(prompt)) return checkIds(prompt, place, vocabSize);
    throw unusable(place, "a text or a list of ids", prompt);
  });
}

function checkIds(ids: readonly unknown[], place: string, vocabSize: number): number[] {
  for (const [index, id] of ids.entries())
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= vocabSize)
      throw unusable(`${place}[${index}]`, `the id of a token, from 0 to ${vocabSize - 1}`, id);
  return ids as number[];
}
