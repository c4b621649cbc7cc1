import type { GenerationModel } from "@kto/generate";
import { sampleAnswers } from "./sample.js";
import { isRight, testSums, type Sum } from "./sums.js";

/** Answers of a model to the held-out questions. */
export interface Exam {
  answers: { sum: Sum; text: string; isRight: boolean }[];
  numRight: number;
  /** Share of right answers. */
  accuracy: number;
}

/** Asks every held-out question `timesEach` times at temperature 1. Rejects with `signal.reason` when told to stop. */
export async function examine(
  model: GenerationModel,
  { timesEach = 2, seed = 11, signal }: { timesEach?: number; seed?: number; signal?: AbortSignal | undefined } = {},
): Promise<Exam> {
  const sums = Array.from({ length: timesEach }, () => testSums).flat();
  const texts = await sampleAnswers(model, sums, { seed, signal });
  const answers = sums.map((sum, index) => ({ sum, text: texts[index]!, isRight: isRight(sum, texts[index]!) }));
  const numRight = answers.filter((answer) => answer.isRight).length;
  return { answers, numRight, accuracy: numRight / answers.length };
}
