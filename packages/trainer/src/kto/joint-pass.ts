import type { CausalLM } from "@kto/tensor";
import { sharesPrompts, type SharedPromptArguments } from "../config/shared-prompt-fields.js";
import type { JointUnit } from "../memory/largest-passes.js";
import { longestRowOf, numInFirstPass, type PassLayout } from "../memory/passes.js";
import { packScoredBatch, type ScoredBatch } from "../scoring/scored-batch.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/**
 * Each matched row with its mismatched one, which go on from one prompt; undefined where they do not go together: if each row draws dropout of its own, or a pass of
 * the mismatched rows would turn positions otherwise than one of the matched.
 */
export function jointUnits(model: CausalLM, args: SharedPromptArguments, rows: readonly KtoRow[]): JointUnit[] | undefined {
  if (!sharesPrompts(args)) return undefined;
  const units = rows.map((row): JointUnit => {
    const sharedPrompt = {};
    return { trained: { ...row, sharedPrompt }, alongside: { ...mismatched(row), sharedPrompt } };
  });
  const frequenciesOf = (kind: keyof JointUnit): number | undefined =>
    model.frequenciesName?.(longestRowOf(units.map((unit) => unit[kind])));
  return frequenciesOf("trained") === frequenciesOf("alongside") ? units : undefined;
}

/** How many rows of a micro-batch, its first ones, go through in a joint pass. */
export function numInJointPass(model: CausalLM, args: SharedPromptArguments, rows: readonly KtoRow[], layout: PassLayout): number {
  if (layout.isSeparate || !jointUnits(model, args, rows)) return 0;
  return numInFirstPass(rows, layout, (row) => row);
}

/** The first rows of a micro-batch packed with the mismatched ones that go along. */
export function packJointPass(
  model: CausalLM,
  args: SharedPromptArguments,
  { rows, count }: { rows: readonly KtoRow[]; count: number },
  { largestPass, largestJoint }: PassLayout,
): ScoredBatch {
  const units = jointUnits(model, args, rows)!;
  const first = units.slice(0, count);
  return packScoredBatch(
    model,
    first.map(({ trained }) => trained),
    {
      largestPass,
      longestRow: longestRowOf(units.flatMap(({ trained, alongside }) => [trained, alongside])),
      alongside: { rows: first.map(({ alongside }) => alongside), largestJoint },
    },
  );
}
