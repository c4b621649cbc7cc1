import type { CausalLM } from "@kto/tensor";
import { sharesPrompts, type SharedPromptArguments } from "../config/shared-prompt-fields.js";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import { longestRowOf, numInFirstPass, type PassLayout, type PassSize } from "../memory/passes.js";
import { packScoredBatch, type ScoredBatch } from "../scoring/scored-batch.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/**
 * Whether matched and mismatched rows of a micro-batch may go through together: not if each row draws dropout of its own, nor if a pass of the mismatched rows would turn
 * positions otherwise than one of the matched.
 */
function goTogether(model: CausalLM, args: SharedPromptArguments, rows: readonly KtoRow[]): boolean {
  if (!sharesPrompts(args)) return false;
  if (!model.frequenciesName) return true;
  return model.frequenciesName(longestRowOf(rows)) === model.frequenciesName(longestRowOf(rows.map(mismatched)));
}

/** What each mismatched row adds to a pass of the matched ones: its completion, and the last token of the prompt that both go on from. Undefined where they do not go together. */
export function sizesAlongside(model: CausalLM, args: SharedPromptArguments, rows: readonly KtoRow[]): PassSize[] | undefined {
  if (!goTogether(model, args, rows)) return undefined;
  return rows.map((row) => {
    const other = mismatched(row);
    return { numTokens: Math.min(1, other.promptIds.length) + other.completionIds.length, numScored: numScoredTokens(other) };
  });
}

/** How many rows of a micro-batch, its first ones, go through in a joint pass. */
export function numInJointPass(model: CausalLM, args: SharedPromptArguments, rows: readonly KtoRow[], layout: PassLayout): number {
  if (layout.isSeparate || !goTogether(model, args, rows)) return 0;
  return numInFirstPass(rows, layout);
}

/** The first rows of a micro-batch packed with the mismatched ones that go along; of each two that share a prompt, it comes once. */
export function packJointPass(
  model: CausalLM,
  { rows, count }: { rows: readonly KtoRow[]; count: number },
  { largestPass, largestJoint }: PassLayout,
): ScoredBatch {
  const first = rows.slice(0, count);
  const prompts = first.map(() => ({}));
  const withPrompts = (given: readonly ScoredRow[]): ScoredRow[] => given.map((row, index) => ({ ...row, sharedPrompt: prompts[index] }));
  return packScoredBatch(model, withPrompts(first), {
    largestPass,
    longestRow: longestRowOf([...rows, ...rows.map(mismatched)]),
    alongside: { rows: withPrompts(first.map(mismatched)), largestJoint },
  });
}
