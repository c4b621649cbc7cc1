import { readText, type Store } from "@kto/core";
import type { FinishReason } from "@kto/generate";
import type { SamplePrompt } from "./sample-prompts.js";

/** What is kept of an answer. */
export interface SampleAnswer {
  text: string;
  /** `length` for one that was cut off. */
  finishReason: FinishReason;
}

/** Tokens of an answer that show as one text: one, or the parts of a character. */
export interface SampleToken {
  text: string;
  ids: readonly number[];
  /** Nats, summed over the ids. */
  logprob: number;
  /** Under the reference, and the first less it; absent where there is nothing to compare with. */
  ref_logprob?: number;
  log_ratio?: number;
}

/** A prompt and what has been answered so far. */
export interface Sample extends SamplePrompt {
  before?: SampleAnswer | undefined;
  after?: SampleAnswer | undefined;
  /** Of the answer after. */
  tokens?: readonly SampleToken[] | undefined;
}

/** The file in the folder of a run. */
export const samplesFile = "samples.jsonl";

/** Writes the samples as they are: a JSON line each. */
export async function writeSamples(store: Store, split: "train" | "eval", samples: readonly Sample[]): Promise<void> {
  const lines = samples.map(({ row, prompt, before, after, tokens }) =>
    JSON.stringify({
      split,
      row,
      prompt,
      ...(before && { before: before.text }),
      ...(after && { after: after.text }),
      finish_reasons: { before: before?.finishReason, after: after?.finishReason },
      ...(tokens && { tokens }),
    }),
  );
  await store.write(samplesFile, lines.map((line) => `${line}\n`).join(""));
}

/** The answers before, of those of these prompts that the file has; a line that cannot be read has none. */
export async function readBefore(store: Store, split: "train" | "eval", prompts: readonly SamplePrompt[]): Promise<Sample[]> {
  const known = new Map<string, SampleAnswer>();
  for (const line of ((await readText(store, samplesFile)) ?? "").split("\n")) {
    const { split: of, row, prompt, before, finish_reasons: reasons } = objectIn(line);
    if (typeof before !== "string") continue;
    const finishReason = (reasons as { before?: FinishReason } | undefined)?.before ?? "stop";
    known.set(keyOf(of, row, prompt), { text: before, finishReason });
  }
  return prompts.map((prompt) => ({ ...prompt, before: known.get(keyOf(split, prompt.row, prompt.prompt)) }));
}

function keyOf(split: unknown, row: unknown, prompt: unknown): string {
  return JSON.stringify([split, row, prompt]);
}

function objectIn(line: string): Record<string, unknown> {
  try {
    return (JSON.parse(line) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
