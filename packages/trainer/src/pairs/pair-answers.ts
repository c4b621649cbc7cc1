import { gatherRows, view, type Device, type Tensor } from "@kto/tensor";
import { numScoredTokens, sameIds, type ScoredRow } from "../data/rows.js";
import type { PairRow } from "./prepare-pair-dataset.js";

/**
 * The two answers of each pair, one after the other: the order in which pairs go through the model. If prompts are shared, that of a pair is computed once for both,
 * unless a template or a cut made one of the two another prompt.
 */
export function answersOf(pairs: readonly PairRow[], sharesPrompts: boolean): ScoredRow[] {
  return pairs.flatMap(({ chosen, rejected }) => {
    if (!sharesPrompts || !sameIds(chosen.promptIds, rejected.promptIds)) return [chosen, rejected];
    const sharedPrompt = {};
    return [
      { ...chosen, sharedPrompt },
      { ...rejected, sharedPrompt },
    ];
  });
}

/** [2b] of `answersOf` → [b] of the chosen answers and [b] of the rejected ones. */
export function sidesOf(ofAnswers: Tensor): [chosen: Tensor, rejected: Tensor] {
  return [everyNth(ofAnswers, 2, 0), everyNth(ofAnswers, 2, 1)];
}

/** [count] of each n-th of [n · count] numbers, from number `first` on. */
export function everyNth(numbers: Tensor, n: number, first: number): Tensor {
  const count = numbers.size / n;
  const indices = Array.from({ length: count }, (_, index) => n * index + first);
  const rows = gatherRows(view(numbers, [numbers.size, 1]), numbers.device.tensor(indices, [count], "u32", "every nth"));
  return view(rows, [count]); // [count]
}

/** Scored tokens of an answer, as losses divide by them. */
export function answerLength(answer: ScoredRow): number {
  return Math.max(1, numScoredTokens(answer));
}

/** [b] f32: the lengths of one side of some pairs. */
export function answerLengths(device: Device, pairs: readonly PairRow[], side: "chosen" | "rejected"): Tensor {
  return device.tensor(
    pairs.map((pair) => answerLength(pair[side])),
    [pairs.length],
    "f32",
    `${side} lengths`,
  );
}

/** Mean length of the chosen answers: what likelihoods of all tokens of a micro-batch are divided by. */
export function meanChosenLength(pairs: readonly PairRow[]): number {
  return pairs.reduce((total, { chosen }) => total + answerLength(chosen), 0) / pairs.length;
}
