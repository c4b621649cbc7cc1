import { ArgumentError } from "@kto/core";
import { gatherRows } from "@kto/tensor";
import { packScoredBatch, scoreBatch, type TrackedRun } from "@kto/trainer";

/** How long a prompt and its answer are. */
interface Lengths {
  promptTokens: number;
  newTokens: number;
}

/** How many prompts are answered together, and what the cache holds of them. */
export interface SampleRoom {
  atOnce: number;
  maxCachedTokens: number;
}

/** Tokens of a page of the cache: a row has whole ones. */
const pageSize = 64;

/** What the buffers that come and go take, with those that are drawn to, as a multiple of what of them is in use at once. */
const slack = 1.05;

/**
 * As many prompts at once as a run has planned memory for, by rehearsing their forward passes beside the cache of keys and values. Throws ArgumentError where one
 * alone has no room.
 */
export function roomForSamples(run: TrackedRun, rows: readonly Lengths[]): SampleRoom {
  const { peakBytes } = run.memory;
  for (let atOnce = rows.length; ; atOnce = Math.ceil(atOnce / 2)) {
    const longest = [...rows].sort((a, b) => total(b) - total(a)).slice(0, atOnce);
    const maxCachedTokens = longest.reduce((sum, row) => sum + pageSize * Math.ceil(total(row) / pageSize), 0);
    const need = rehearsed(run, longest, maxCachedTokens);
    if (need <= peakBytes) return { atOnce, maxCachedTokens };
    if (atOnce > 1) continue;
    throw new ArgumentError({
      operation: "samples",
      problem: `there is no room for an answer to a prompt of ${longest[0]!.promptTokens} tokens`,
      expected: `at most the ${inMiB(peakBytes)} MiB that the run is planned to take`,
      got: `a need of ${inMiB(need)} MiB`,
    });
  }
}

function total({ promptTokens, newTokens }: Lengths): number {
  return promptTokens + newTokens;
}

/** Bytes that all buffers take at most while the rows are answered and scored together. */
function rehearsed({ model }: TrackedRun, rows: readonly Lengths[], cachedTokens: number): number {
  const { base, device } = model;
  const { numKeyValueHeads, headDim } = base.attentionHeads;
  base.prepare?.(Math.max(...rows.map(total)));
  const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
  const before = device.memory.info();
  const { peakInUseBytes } = device.memory.rehearse(() => {
    const cached = Array.from({ length: 2 * base.numHiddenLayers + 1 }, () =>
      device.empty([cachedTokens, numKeyValueHeads * headDim], base.dtype, "cached keys or values"),
    );
    device.noGrad(() => {
      device.scope(() => {
        const hidden = base.hiddenStates(base.packRows(rows.map(({ promptTokens }) => zeros(promptTokens)))); // [numTokens, hiddenSize]
        base.logits(gatherRows(hidden, device.tensor(zeros(rows.length), [rows.length], "u32"))); // [numRows, vocabSize] f32
      });
      const scored = rows.map(({ promptTokens, newTokens }) => ({ promptIds: zeros(promptTokens), completionIds: zeros(newTokens) }));
      scoreBatch(base, packScoredBatch(base, scored));
    });
    for (const tensor of cached) tensor.dispose();
  });
  const otherBytes = before.allocatedBytes - before.inUseBytes - before.freeBytes;
  return Math.ceil(before.inUseBytes + otherBytes + slack * (peakInUseBytes - before.inUseBytes));
}

function inMiB(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(2);
}
