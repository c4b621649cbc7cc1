import { TextGenerator, type GenerationModel } from "@kto/generate";
import { questionMessages, type Sum } from "./sums.js";

/** How answers are drawn from the model's own probabilities: temperature 1, length and end token are those of its `generation_config.json`. */
export interface SampleOptions {
  /** The same seed draws the same answers. */
  seed: number;
  /** Number of the first question, where a batch is part of a longer list. */
  firstIndex?: number;
  /** Stops between two tokens; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Questions that are answered together (more would keep whoever interrupts waiting), and the tokens that each may take in the cache: a page. */
const maxRows = 64;
const tokensPerRow = 64;

/** One sampled answer to each question. A question's luck depends on its number alone, so that it is the same in any part of the list. */
export async function sampleAnswers(
  model: GenerationModel,
  sums: readonly Sum[],
  { seed, firstIndex = 0, signal }: SampleOptions,
): Promise<string[]> {
  signal?.throwIfAborted();
  using generator = new TextGenerator(model, { maxRows, maxCachedTokens: maxRows * tokensPerRow });
  const answers = sums.map((sum, index) =>
    generator.generate({ messages: questionMessages(sum), doSample: true, topK: 0, seed: seed * 2 ** 32 + firstIndex + index, signal }),
  );
  const results = await Promise.all(answers.map(({ result }) => result));
  return results.map(({ text }) => text);
}
