import { OutOfMemoryError, type Device, type MemoryInfo } from "@kto/tensor";
import type { largestPasses } from "./largest-passes.js";
import type { PassLayout } from "./passes.js";

/** What a run is predicted to need, in bytes of GPU buffers. */
export interface MemoryPlan extends PassLayout {
  numLayers: number;
  /** What all buffers together are held to: the largest sum at one moment, and a little more for steps that are a little different. */
  peakBytes: number;
  /** What may be used; undefined where nobody knows. */
  budgetBytes: number | undefined;
  /** In use before the first update: weights, adapters, optimizer state, gradients. */
  residentBytes: number;
  /** Kept from the forward for the backward pass, of the largest micro-batch. */
  savedBytes: number;
  /** Everything else at the peak: buffers of kernels at work, and free ones kept for the next. */
  workBytes: number;
  /** Tokens of the largest micro-batch. */
  largestMicroBatch: number;
}

/** What a plan is made from. */
export interface MemoryPlanInput {
  device: Device;
  numLayers: number;
  /** `true` checkpoints every layer, `false` none, `auto` as few as fit into the budget. */
  gradientCheckpointing: boolean | "auto";
  budgetBytes: number | undefined;
  /** Tokens of the largest micro-batch, and of its longest row. */
  largestMicroBatch: number;
  longestRow: number;
  /** The first pass of a micro-batch may be a joint one. */
  hasJoint: boolean;
  /** The most that a pass of each kind has under a layout. */
  largestPasses(layout: PassLayout): ReturnType<typeof largestPasses>;
  /** Records the work of the largest steps of the run under a layout; calls `onForward` when a forward pass has left its activations. */
  record(layout: PassLayout, onForward: () => void): void;
}

/**
 * With every layer checkpointed, memory is what matters: rows go through in passes of this size, at which products of the 1.5B shape reach 158 to 247 TFLOP/s
 * on an H100, as they do with twice the rows (bench/results, 2026-11-24).
 */
const leanTokensPerPass = 2048;

/**
 * What the pool may hold above the plan, as a share of what comes and goes. Steps differ in a few small buffers; with 2 % those of the tutorial's data
 * make 40 MiB of buffers anew at most, and most of them none; without it they made 3 GiB (rehearsed at the 1.5B shape, 2026-11-28).
 */
const slack = 0.02;

/** What a pool that gives back unused buffers gets by with, as a multiple of what is in use at once. */
const leastFactor = 1.05;

/**
 * Decides how many layers are run again and in how many passes a micro-batch goes through, by rehearsing its largest steps: the ops run on the host
 * and count buffers, the GPU does nothing. Passes of all lengths take the memory of the largest, so that the plan holds for each of them, once the device's
 * pool is held to it (`peakBytes`).
 *
 * Throws OutOfMemoryError if the budget is too small for one row.
 */
export function planMemory(input: MemoryPlanInput): MemoryPlan {
  const { device, numLayers, budgetBytes = Infinity } = input;
  const residentBytes = device.memory.info().inUseBytes;
  const sizes = new Map<string, ReturnType<typeof largestPasses>>();
  const complete = (layout: PassLayout): PassLayout => {
    const key = `${layout.tokensPerPass} ${layout.isSeparate}`;
    const found = sizes.get(key) ?? input.largestPasses(layout);
    sizes.set(key, found);
    return { ...layout, ...found };
  };
  const rehearsed = new Map<string, Need>();
  const needs = (layout: PassLayout): Need => {
    const key = `${layout.checkpointedLayers} ${layout.tokensPerPass} ${layout.isSeparate}`;
    const need = rehearsed.get(key) ?? rehearse(input, complete(layout), Infinity);
    rehearsed.set(key, need);
    return need;
  };
  const rowByRow = { checkpointedLayers: input.gradientCheckpointing === false ? 0 : numLayers, tokensPerPass: 1, isSeparate: true };
  const layout = complete(chooseLayout(input, (candidate) => needs(candidate).info.peakBytes <= budgetBytes) ?? rowByRow);
  const need = needs(layout);
  if (need.leastBytes > budgetBytes) refuse(input, need.leastBytes);
  const limitBytes = Math.min(need.info.peakBytes + slack * (need.info.peakBytes - residentBytes), budgetBytes);
  const { info, savedBytes } = need.info.peakBytes > limitBytes ? rehearse(input, layout, limitBytes) : need;
  const peakBytes = Math.ceil(Math.max(limitBytes, info.peakBytes));
  return {
    ...layout,
    numLayers,
    peakBytes,
    budgetBytes: input.budgetBytes,
    residentBytes,
    savedBytes,
    workBytes: peakBytes - residentBytes - savedBytes,
    largestMicroBatch: input.largestMicroBatch,
  };
}

interface Need {
  info: MemoryInfo;
  /** What a pool that gives back unused buffers gets by with. */
  leastBytes: number;
  savedBytes: number;
}

function rehearse({ device, record }: MemoryPlanInput, layout: PassLayout, limitBytes: number): Need {
  const before = device.memory.info();
  let savedBytes = 0;
  const unlimited = device.memory.limitBytes;
  device.memory.limitBytes = limitBytes;
  try {
    const info = device.memory.rehearse(() =>
      record(layout, () => {
        savedBytes = Math.max(savedBytes, device.memory.info().inUseBytes - before.inUseBytes);
      }),
    );
    const otherBytes = before.allocatedBytes - before.inUseBytes - before.freeBytes; // the uniform ring and the like
    const comingBytes = info.peakInUseBytes - before.inUseBytes;
    return { info, leastBytes: Math.ceil(before.inUseBytes + otherBytes + leastFactor * comingBytes), savedBytes };
  } finally {
    device.memory.limitBytes = unlimited;
  }
}

/** The fastest layout that fits: fewest layers run again first, then fewest passes, joint ones first; undefined if none does without passes of a single row. */
function chooseLayout(input: MemoryPlanInput, fits: (layout: PassLayout) => boolean): PassLayout | undefined {
  const { numLayers, gradientCheckpointing: mode, budgetBytes, largestMicroBatch, longestRow } = input;
  const isLean = mode === true || (mode === "auto" && budgetBytes === undefined);
  const whole = { checkpointedLayers: mode === false ? 0 : numLayers, tokensPerPass: isLean ? leanTokensPerPass : largestMicroBatch };
  const fitting = (layout: PassLayout): PassLayout | undefined =>
    (input.hasJoint
      ? [
          { ...layout, isSeparate: false },
          { ...layout, isSeparate: true },
        ]
      : [layout]
    ).find(fits);
  const unsplit = fitting(whole);
  if (!unsplit) {
    for (let passes = 2; ; passes++) {
      const tokensPerPass = Math.max(Math.ceil(largestMicroBatch / passes), longestRow);
      const found = tokensPerPass < whole.tokensPerPass ? fitting({ ...whole, tokensPerPass }) : undefined;
      if (found || tokensPerPass === longestRow) return found;
    }
  }
  if (mode !== "auto" || isLean) return unsplit;
  const chosen = withFewestRunAgain(unsplit, numLayers, fits);
  if (chosen.checkpointedLayers === 0 || chosen.isSeparate !== false) return chosen;
  // Rows that go along keep activations too, where a layer is not run again: worth it while fewer tokens are run again for them than they save.
  if (!fits({ ...unsplit, isSeparate: true })) return chosen;
  const separate = withFewestRunAgain({ ...unsplit, isSeparate: true }, numLayers, fits);
  const { largestPass, largestJoint } = input.largestPasses(chosen);
  const tokensSaved = 2 * (2 * largestPass.numTokens - largestJoint.numTokens) * numLayers; // by policy and reference
  const tokensRunAgain = (chosen.checkpointedLayers - separate.checkpointedLayers) * largestPass.numTokens;
  return tokensRunAgain <= tokensSaved ? chosen : separate;
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

function refuse({ device, budgetBytes, longestRow, gradientCheckpointing: mode }: MemoryPlanInput, leastBytes: number): never {
  const { allocatedBytes } = device.memory.info();
  throw new OutOfMemoryError(
    {
      operation: "memory",
      problem: "the run does not fit",
      expected: `at most ${inMiB(budgetBytes!)} MiB of GPU memory`,
      got: `a need of ${inMiB(leastBytes)} MiB for a row of ${longestRow} tokens alone, ${inMiB(allocatedBytes)} of them for the model`,
      advice: `lower {maxLength}${mode === false ? ", set {gradientCheckpointing}: auto" : ""} or raise {device.memory.budgetBytes}`,
      fields: ["maxLength", "gradientCheckpointing", "device.memory.budgetBytes"],
    },
    { requestedBytes: leastBytes, allocatedBytes },
  );
}

function inMiB(bytes: number): string {
  const size = bytes / 2 ** 20;
  return size.toFixed(size < 100 ? 2 : 0);
}
