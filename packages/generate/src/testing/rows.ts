import { readFixtureJsonl } from "@kto/testing/workspace";
import type { Row, RowRequest } from "../index.js";

/** What transformers answers to a prompt. Ids from `trusted` on come after a choice between two that are too near to each other, and may differ. */
interface Answer {
  ids: number[];
  trusted: number;
}

interface AnsweredPrompt {
  prompt: { role: string; content: string }[];
  prompt_ids: number[];
  greedy: Answer & { text: string };
  "repetition_penalty_1.1": Answer;
}

/** Prompts with the likeliest ids of transformers. */
export const answeredPrompts: readonly AnsweredPrompt[] = readFixtureJsonl<AnsweredPrompt>("generation/greedy.jsonl");

/** Takes the likeliest token. */
export const greedySampling: RowRequest["sampling"] = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2] };

/** Ids of a prompt, another one for each index. */
export function promptOf(length: number, index: number): number[] {
  return Array.from({ length }, (_, at) => 1 + ((at * 7 + index * 31) % 480));
}

/** All new ids of a row; rejects with what went wrong. */
export async function idsOf(row: Row): Promise<number[]> {
  const ids: number[] = [];
  for await (const id of row) ids.push(id);
  return ids;
}
