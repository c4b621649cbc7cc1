import type { GenerationModel } from "@kto/generate";
import type { ChatMessage } from "@kto/trainer";
import { sampleAnswers } from "./sample.js";
import { isRight, questionMessages, testSums, trainSums, type Sum } from "./sums.js";

/** Rows of `data/train.jsonl`. */
export const numTrainRows = 2048;

const seeds = { train: 5, test: 6 };

/** A row of the data: a question, the model's own answer, and 👍 or 👎. */
export interface MarkedAnswer {
  prompt: ChatMessage[];
  completion: ChatMessage[];
  label: boolean;
}

/** Rows `first` to `end` of a data file: the model answers, the sum is checked. Any part of the file can be made alone. */
export async function markedAnswers(model: GenerationModel, split: "train" | "test", first: number, end: number): Promise<MarkedAnswer[]> {
  const sums = questions(split).slice(first, end);
  const answers = await sampleAnswers(model, sums, { seed: seeds[split], firstIndex: first });
  return sums.map((sum, index) => ({
    prompt: questionMessages(sum),
    completion: [{ role: "assistant", content: answers[index]! }],
    label: isRight(sum, answers[index]!),
  }));
}

/** The question of each row; training asks some of its questions twice. */
function questions(split: "train" | "test"): Sum[] {
  return split === "test" ? [...testSums] : Array.from({ length: numTrainRows }, (_, row) => trainSums[row % trainSums.length]!);
}
