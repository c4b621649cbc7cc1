import { OutOfMemoryError, type Device, type MemoryInfo } from "@kto/tensor";
import type { PassLayout } from "./kto-micro-batch.js";

/** What a run is predicted to need, in bytes of GPU buffers. */
export interface MemoryPlan extends PassLayout {
  numLayers: number;
  /** Largest sum of all buffers at one moment. */
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
  /** Records the work of the largest steps of the run under a layout; calls `onForward` when a forward pass has left its activations. */
  record(layout: PassLayout, onForward: () => void): void;
}

/** With every layer checkpointed, memory is what matters: rows go through in passes of this size, at which products are large enough for a big GPU. */
const leanTokensPerPass = 2048;

/** What a pool may hold above what is in use at once; below it, buffers are made anew all the time. */
const slack = 1.05;

/**
 * Decides how many layers are run again and in how many passes a micro-batch goes through, by rehearsing its largest steps: the ops run on the host
 * and count buffers, the GPU does nothing. The device's pool is then held to the result.
 *
 * Throws OutOfMemoryError if the budget is too small for one row.
 */
export function planMemory(input: MemoryPlanInput): MemoryPlan {
  const { device, numLayers, budgetBytes = Infinity } = input;
  const resident = device.memory().inUseBytes;
  const needs = (layout: PassLayout): Need => rehearse(input, layout, Infinity);
  const fits = (layout: PassLayout): boolean => needs(layout).leastBytes <= budgetBytes;
  const layout = chooseLayout(input, fits) ?? refuse(input, needs({ checkpointedLayers: numLayers, tokensPerPass: 1 }).leastBytes);
  const { leastBytes, info } = needs(layout);
  // Without a budget to spend, and where it is short, the pool gives back what it does not use.
  const isLean = layout.checkpointedLayers === numLayers || info.peakBytes > budgetBytes;
  const limitBytes = Math.min(isLean ? leastBytes : info.peakBytes * slack, budgetBytes);
  const planned = rehearse(input, layout, limitBytes);
  device.pool.limitBytes = limitBytes;
  return {
    ...layout,
    numLayers,
    peakBytes: planned.info.peakBytes,
    budgetBytes: input.budgetBytes,
    residentBytes: resident,
    savedBytes: planned.savedBytes,
    workBytes: planned.info.peakBytes - resident - planned.savedBytes,
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
  const before = device.memory();
  let savedBytes = 0;
  const unlimited = device.pool.limitBytes;
  device.pool.limitBytes = limitBytes;
  try {
    const info = device.rehearse(() =>
      record(layout, () => {
        savedBytes = Math.max(savedBytes, device.memory().inUseBytes - before.inUseBytes);
      }),
    );
    const otherBytes = before.allocatedBytes - before.inUseBytes - before.freeBytes; // the uniform ring and the like
    return { info, leastBytes: Math.ceil((info.peakInUseBytes + otherBytes) * slack), savedBytes };
  } finally {
    device.pool.limitBytes = unlimited;
  }
}

/** The fastest layout that fits: fewest layers run again first, then fewest passes. */
function chooseLayout(input: MemoryPlanInput, fits: (layout: PassLayout) => boolean): PassLayout | undefined {
  const { numLayers, gradientCheckpointing: mode, budgetBytes, largestMicroBatch, longestRow } = input;
  const isLean = mode === true || (mode === "auto" && budgetBytes === undefined);
  const whole = { checkpointedLayers: mode === false ? 0 : numLayers, tokensPerPass: isLean ? leanTokensPerPass : largestMicroBatch };
  if (!fits(whole)) {
    for (let passes = 2; ; passes++) {
      const tokensPerPass = Math.max(Math.ceil(largestMicroBatch / passes), longestRow);
      if (tokensPerPass < whole.tokensPerPass && fits({ ...whole, tokensPerPass })) return { ...whole, tokensPerPass };
      if (tokensPerPass === longestRow) break;
    }
    const rowByRow = { ...whole, tokensPerPass: 1 };
    return fits(rowByRow) ? rowByRow : undefined;
  }
  if (mode !== "auto" || isLean) return whole;
  let [tooFew, enough] = [-1, numLayers];
  while (enough - tooFew > 1) {
    const checkpointedLayers = tooFew < 0 ? 0 : Math.floor((tooFew + enough) / 2);
    if (fits({ ...whole, checkpointedLayers })) enough = checkpointedLayers;
    else tooFew = checkpointedLayers;
    if (enough === 0) break;
  }
  return { ...whole, checkpointedLayers: enough };
}

function refuse({ device, budgetBytes, longestRow, gradientCheckpointing: mode }: MemoryPlanInput, leastBytes: number): never {
  const { allocatedBytes } = device.memory();
  throw new OutOfMemoryError(
    `memory: the run does not fit; expected at most ${inMiB(budgetBytes!)} MiB of GPU memory, got a need of ${inMiB(leastBytes)} MiB for a row of ${longestRow} tokens alone, ${inMiB(allocatedBytes)} of them for the model; lower max_length${mode === false ? ", set gradient_checkpointing: auto" : ""} or raise max_memory`,
    { requestedBytes: leastBytes, allocatedBytes },
  );
}

function inMiB(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
