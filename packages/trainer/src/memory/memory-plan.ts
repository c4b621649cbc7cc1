import { OutOfMemoryError, type Device, type MemoryInfo } from "@kto/tensor";
import { chooseLayout, leanestLayout, type LayoutChoice } from "./choose-layout.js";
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
  microBatchesPerPass: number;
}

/** What a plan is made from. */
export interface MemoryPlanInput extends LayoutChoice {
  device: Device;
  /** Records the work of the largest steps of the run under a layout; calls `onForward` when a forward pass has left its activations. */
  record(layout: PassLayout, onForward: () => void): void;
}

/**
 * What the pool may hold above the plan, as a share of what comes and goes. Steps differ in a few small buffers; with 2 % those of the tutorial's data
 * make 40 MiB of buffers anew at most, and most of them none; without it they made 3 GiB (rehearsed at the 1.5B shape, 2026-11-28).
 */
const slack = 0.02;

/** What a pool that gives back unused buffers gets by with, as a multiple of what is in use at once. */
const leastFactor = 1.05;

/**
 * Decides how many layers are run again, in how many passes a micro-batch goes through and how many micro-batches go through in one, by rehearsing the largest steps: the ops run on the host
 * and count buffers, the GPU does nothing. Passes of all lengths take the memory of the largest, so that the plan holds for each of them, once the device's
 * pool is held to it (`peakBytes`).
 *
 * Throws OutOfMemoryError if the budget is too small for one row, or for the micro-batches that were asked to go through together.
 */
export function planMemory(input: MemoryPlanInput): MemoryPlan {
  const { device, numLayers, budgetBytes = Infinity } = input;
  const residentBytes = device.memory.info().inUseBytes;
  const sizes = new Map<string, ReturnType<typeof largestPasses>>();
  const largestPassesUnder = (layout: PassLayout): ReturnType<typeof largestPasses> => {
    const key = JSON.stringify({ ...layout, checkpointedLayers: undefined });
    const found = sizes.get(key) ?? input.largestPasses(layout);
    sizes.set(key, found);
    return found;
  };
  const complete = (layout: PassLayout): PassLayout => ({ ...layout, ...largestPassesUnder(layout) });
  const rehearsed = new Map<string, Need>();
  const needs = (layout: PassLayout): Need => {
    const key = JSON.stringify(layout);
    const need = rehearsed.get(key) ?? rehearse(input, complete(layout), Infinity);
    rehearsed.set(key, need);
    return need;
  };
  const choice = { ...input, largestPasses: largestPassesUnder };
  const layout = complete(chooseLayout(choice, (candidate) => needs(candidate).info.peakBytes <= budgetBytes) ?? leanestLayout(input));
  const { microBatchesPerPass = 1 } = layout;
  const need = needs(layout);
  if (need.leastBytes > budgetBytes) refuse(input, { leastBytes: need.leastBytes, microBatchesPerPass });
  const limitBytes = Math.min(need.info.peakBytes + slack * (need.info.peakBytes - residentBytes), budgetBytes);
  const { info, savedBytes } = need.info.peakBytes > limitBytes ? rehearse(input, layout, limitBytes) : need;
  const peakBytes = Math.ceil(Math.max(limitBytes, info.peakBytes));
  return {
    ...layout,
    microBatchesPerPass,
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
    const leastBytes = Math.ceil(before.inUseBytes + otherBytes + leastFactor * comingBytes);
    return { info, leastBytes: Math.min(leastBytes, info.peakBytes), savedBytes }; // what fits as it is needs no more
  } finally {
    device.memory.limitBytes = unlimited;
  }
}

function refuse(
  { device, budgetBytes, longestRow, gradientCheckpointing: mode }: MemoryPlanInput,
  { leastBytes, microBatchesPerPass }: { leastBytes: number; microBatchesPerPass: number },
): never {
  const { allocatedBytes } = device.memory.info();
  const isTogether = microBatchesPerPass > 1;
  const what = isTogether ? `${microBatchesPerPass} micro-batches in one pass` : `a row of ${longestRow} tokens alone`;
  throw new OutOfMemoryError(
    {
      operation: "memory",
      problem: "the run does not fit",
      expected: `at most ${inMiB(budgetBytes!)} MiB of GPU memory`,
      got: `a need of ${inMiB(leastBytes)} MiB for ${what}, ${inMiB(allocatedBytes)} of them for the model`,
      advice: `lower ${isTogether ? "{microBatchesPerPass} or " : ""}{maxLength}${mode === false ? ", set {gradientCheckpointing}: auto" : ""} or raise {device.memory.budgetBytes}`,
      fields: [...(isTogether ? ["microBatchesPerPass"] : []), "maxLength", "gradientCheckpointing", "device.memory.budgetBytes"],
    },
    { requestedBytes: leastBytes, allocatedBytes },
  );
}

function inMiB(bytes: number): string {
  const size = bytes / 2 ** 20;
  return size.toFixed(size < 100 ? 2 : 0);
}
