import { randperm } from "@kto/datasets";
import type { ChatMessage } from "@kto/trainer";

/** Both numbers of a sum are below this. */
export const numberLimit = 40;

/** Sums that neither training nor its data sees: the demo measures on them. */
const numTestSums = 200;
const splitSeed = 3;

/** A question: what is a + b? */
export interface Sum {
  a: number;
  b: number;
}

/** Every question, in the order of a + numberLimit · b. */
export const allSums: readonly Sum[] = Array.from({ length: numberLimit ** 2 }, (_, index) => ({
  a: index % numberLimit,
  b: Math.floor(index / numberLimit),
}));

const shuffled = Array.from(randperm(allSums.length, splitSeed), (index) => allSums[index]!);

/** Held-out questions. */
export const testSums: readonly Sum[] = shuffled.slice(0, numTestSums);

/** Questions that training may ask. */
export const trainSums: readonly Sum[] = shuffled.slice(numTestSums);

/** `12+7=` */
export function questionText({ a, b }: Sum): string {
  return `${a}+${b}=`;
}

/** The question as a conversation. */
export function questionMessages(sum: Sum): ChatMessage[] {
  return [{ role: "user", content: questionText(sum) }];
}

/** 👍 or 👎: whether the text is the sum, and nothing else. */
export function isRight({ a, b }: Sum, answer: string): boolean {
  return answer === String(a + b);
}
