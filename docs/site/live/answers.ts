import { isRight, questionText, testSums } from "../../../examples/quickstart/src/sums.js";

/** Answers to the held-out sums, in their order. */
export type Answers = readonly string[];

/** A held-out sum with what the model said to it. */
export interface MarkedAnswer {
  question: string;
  text: string;
  isRight: boolean;
}

/** The held-out sums: training never asks them. */
export const questions: readonly string[] = testSums.map(questionText);

/** Each answer with its question, and whether it is right. */
export function marked(answers: Answers): MarkedAnswer[] {
  return answers.map((text, index) => ({ question: questions[index]!, text, isRight: isRight(testSums[index]!, text) }));
}

/** Percent of the answers that are right. */
export function percentRight(answers: Answers): number {
  return (100 * marked(answers).filter(({ isRight }) => isRight).length) / answers.length;
}
