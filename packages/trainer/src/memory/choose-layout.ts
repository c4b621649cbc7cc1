import { isKtoError } from "@kto/core";
import type { largestPasses } from "./largest-passes.js";
import type { PassLayout } from "./passes.js";

/** What a layout is chosen by. */
export interface LayoutChoice {
  numLayers: number;
  /** `true` checkpoints every layer, `false` none, `auto` as few as fit into the budget. */
  gradientCheckpointing: boolean | "auto";
  /** How many micro-batches go through together; `auto`: as many as fit into a budget, where that is known and no layer is run again. */
  microBatchesPerPass: number | "auto";
  /** How many of an update may, 1 where they may not. */
  mostPerPass: number;
  budgetBytes: number | undefined;
  /** Tokens of the largest micro-batch, and of its longest row. */
  largestMicroBatch: number;
  longestRow: number;
  /** The first pass of a micro-batch may be a joint one. */
  hasJoint: boolean;
  /** The most that a pass of each kind has under a layout. */
  largestPasses(layout: PassLayout): ReturnType<typeof largestPasses>;
}

/**
 * With every layer checkpointed, memory is what matters: rows go through in passes of this size, at which products of the 1.5B shape reach 158 to 247 TFLOP/s
 * on an H100, as they do with twice the rows (bench/results, 2026-11-24).
 */
const leanTokensPerPass = 2048;

/**
 * The tokens of a pass that `auto` does not go beyond by putting micro-batches together: memory grows with them, and what they save, launches and expansions of weights, is a
 * small part of such a pass. A choice: measured is that 4,096 tokens gain on 2,048 (decision 0034).
 */
const mostTokensTogether = 8192;

/** Of the tokens of the largest pass that micro-batches may make together. */
const sharesTried = [1, 3 / 4, 1 / 2, 3 / 8, 1 / 4];

/** The fastest layout that fits: fewest layers run again first, then fewest passes, joint ones first; undefined if none does without passes of a single row. */
export function chooseLayout(choice: LayoutChoice, fits: (layout: PassLayout) => boolean): PassLayout | undefined {
  const { numLayers, gradientCheckpointing: mode, largestMicroBatch, longestRow } = choice;
  const whole = wholeLayout(choice);
  const isTogether = whole.microBatchesPerPass > 1;
  const fitting = (layout: PassLayout): PassLayout | undefined =>
    (choice.hasJoint ? [false, true].map((isSeparate) => ({ ...layout, isSeparate })).slice(0, isTogether ? 1 : 2) : [layout]).find(fits);
  const unsplit = fitting(whole);
  if (!unsplit) {
    if (isTogether) return undefined;
    for (let passes = 2; ; passes++) {
      const tokensPerPass = Math.max(Math.ceil(largestMicroBatch / passes), longestRow);
      const found = tokensPerPass < whole.tokensPerPass ? fitting({ ...whole, tokensPerPass }) : undefined;
      if (found || tokensPerPass === longestRow) return found;
    }
  }
  if (mode !== "auto" || isLean(choice)) return withMostTogether(choice, unsplit, fits);
  const chosen = withFewestRunAgain(unsplit, numLayers, fits);
  if (chosen.checkpointedLayers === 0) return withMostTogether(choice, chosen, fits);
  if (chosen.isSeparate !== false || isTogether) return chosen;
  // Rows that go along keep activations too, where a layer is not run again: worth it while fewer tokens are run again for them than they save.
  if (!fits({ ...unsplit, isSeparate: true })) return chosen;
  const separate = withFewestRunAgain({ ...unsplit, isSeparate: true }, numLayers, fits);
  const { largestPass, largestJoint } = choice.largestPasses(chosen);
  const tokensSaved = 2 * (2 * largestPass.numTokens - largestJoint.numTokens) * numLayers; // by policy and reference
  const tokensRunAgain = (chosen.checkpointedLayers - separate.checkpointedLayers) * largestPass.numTokens;
  return tokensRunAgain <= tokensSaved ? chosen : separate;
}

/** The layout that takes the least: a row a pass, or as many micro-batches as were asked for. */
export function leanestLayout(choice: LayoutChoice): PassLayout {
  const whole = wholeLayout(choice);
  return whole.microBatchesPerPass > 1 ? { ...whole, isSeparate: false } : { ...whole, tokensPerPass: 1, isSeparate: true };
}

function wholeLayout(choice: LayoutChoice): PassLayout & { microBatchesPerPass: number } {
  const { numLayers, gradientCheckpointing, microBatchesPerPass: asked, mostPerPass, largestMicroBatch } = choice;
  return {
    checkpointedLayers: gradientCheckpointing === false ? 0 : numLayers,
    tokensPerPass: isLean(choice) ? leanTokensPerPass : largestMicroBatch,
    microBatchesPerPass: asked === "auto" ? 1 : Math.min(asked, mostPerPass),
  };
}

function isLean({ gradientCheckpointing: mode, budgetBytes }: LayoutChoice): boolean {
  return mode === true || (mode === "auto" && budgetBytes === undefined);
}

/** A layout that fits with all layers run again, with as few of them as fit. */
function withFewestRunAgain(layout: PassLayout, numLayers: number, fits: (layout: PassLayout) => boolean): PassLayout {
  let [tooFew, enough] = [-1, numLayers];
  while (enough - tooFew > 1) {
    const checkpointedLayers = tooFew < 0 ? 0 : Math.floor((tooFew + enough) / 2);
    if (fits({ ...layout, checkpointedLayers })) enough = checkpointedLayers;
    else tooFew = checkpointedLayers;
    if (enough === 0) break;
  }
  return { ...layout, checkpointedLayers: enough };
}

/**
 * A layout that fits with a micro-batch a pass, with more of them in one where that is the plan's to choose: of as many tokens together as fit. Those of no more than the
 * largest micro-batch alone cost no memory.
 */
function withMostTogether(choice: LayoutChoice, layout: PassLayout, fits: (layout: PassLayout) => boolean): PassLayout {
  const { microBatchesPerPass, mostPerPass, budgetBytes, largestMicroBatch } = choice;
  const isChosen = microBatchesPerPass === "auto" && budgetBytes !== undefined && mostPerPass > 1;
  if (!isChosen || layout.checkpointedLayers > 0 || layout.isSeparate) return layout;
  const together = (tokensTogether: number): PassLayout => ({ ...layout, microBatchesPerPass: mostPerPass, tokensTogether });
  const most = Math.min(choice.largestPasses(together(mostTokensTogether)).largestPass.numTokens, mostTokensTogether);
  const candidates = sharesTried.map((share) => Math.floor(share * most)).filter((tokens) => tokens > largestMicroBatch);
  return [...candidates, largestMicroBatch].map(together).find((candidate) => fitsInBuffers(() => fits(candidate))) ?? layout;
}

/** False too where a tensor is larger than a buffer may be. */
function fitsInBuffers(fits: () => boolean): boolean {
  try {
    return fits();
  } catch (error) {
    if (isKtoError(error) && error.code === "OUT_OF_MEMORY") return false;
    throw error;
  }
}
