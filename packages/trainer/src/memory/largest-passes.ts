import type { ScoredRow } from "../data/rows.js";
import { numInFirstPass, passSize, splitIntoPasses, type PassLayout, type PassSize, type PassUnit } from "./passes.js";

/** The passes of a batch, were it not split. */
export interface BatchPasses {
  /** Of each kind of pass that the method has, always as many. */
  separate: readonly (readonly PassUnit[])[];
  /** Of a batch whose first pass may be a joint one: for each of its rows the sequence with gradients, and that without. */
  joint: readonly JointUnit[] | undefined;
}

/** A row as it goes through the model in a joint pass. */
export interface JointUnit {
  trained: ScoredRow;
  alongside: ScoredRow;
}

/** The sequences of a joint pass: all that take gradients, then the others. */
export function jointSequences(units: readonly JointUnit[]): ScoredRow[] {
  return [...units.map(({ trained }) => trained), ...units.map(({ alongside }) => alongside)];
}

/** The most tokens, and scored ones, that a pass of each kind has under a layout. */
export function largestPasses(
  batches: Iterable<BatchPasses>,
  layout: PassLayout,
): Required<Pick<PassLayout, "largestPass" | "largestJoint">> {
  const largestPass: PassSize = { numTokens: 0, numScored: 0 };
  const largestJoint: PassSize = { numTokens: 0, numScored: 0 };
  for (const { separate, joint } of batches) {
    for (const units of separate)
      for (const pass of splitIntoPasses(units, layout.tokensPerPass, (unit) => unit)) grow(largestPass, passSize(pass));
    if (!joint || layout.isSeparate) continue;
    const first = joint.slice(
      0,
      numInFirstPass(joint, layout, ({ trained }) => trained),
    );
    const { numTokens } = passSize(jointSequences(first));
    grow(largestJoint, { numTokens, numScored: passSize(first.map(({ alongside }) => alongside)).numScored });
  }
  return { largestPass, largestJoint };
}

function grow(size: PassSize, other: PassSize): void {
  size.numTokens = Math.max(size.numTokens, other.numTokens);
  size.numScored = Math.max(size.numScored, other.numScored);
}
