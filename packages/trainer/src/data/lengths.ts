import { sketchesOf, type RowSequence } from "./row-sequence.js";
import type { ScoredRow } from "./rows.js";

/** Smallest, mean, median and largest of some lengths, in tokens. */
export interface LengthSummary {
  min: number;
  mean: number;
  median: number;
  max: number;
}

/** Token lengths of the rows that are trained on. */
export interface RowLengths {
  prompt: LengthSummary;
  completion: LengthSummary;
  /** Prompt and completion together, before anything is cut. */
  sequence: LengthSummary;
  /** Rows longer than `maxLength`, of which the start is kept. */
  numTruncated: number;
}

/** Rows whose length is at least `from` and below `to`. */
export interface HistogramBin {
  from: number;
  to: number;
  count: number;
}

/** Lengths of rows that are not cut yet; `maxLength` null means that nothing will be. */
export function rowLengths(rows: RowSequence<ScoredRow>, maxLength: number | null): RowLengths {
  return measureRows(rows, maxLength).lengths;
}

/** Those lengths, and the tokens of each row. */
export function measureRows(rows: RowSequence<ScoredRow>, maxLength: number | null): { lengths: RowLengths; sequenceLengths: Uint32Array } {
  const sketchAt = sketchesOf(rows);
  const prompts = new Uint32Array(rows.length);
  const completions = new Uint32Array(rows.length);
  for (let index = 0; index < rows.length; index++) {
    const { promptIds, completionIds } = sketchAt(index);
    prompts[index] = promptIds.length;
    completions[index] = completionIds.length;
  }
  const sequence = prompts.map((length, index) => length + completions[index]!);
  const lengths = {
    prompt: summarize(prompts),
    completion: summarize(completions),
    sequence: summarize(sequence),
    numTruncated: maxLength === null ? 0 : sequence.reduce((count, length) => count + (length > maxLength ? 1 : 0), 0),
  };
  return { lengths, sequenceLengths: sequence };
}

/** A histogram of lengths in at most `maxBins` bins, whose equal width is the least power of two that allows it. */
export function lengthHistogram(lengths: readonly number[] | Uint32Array, maxBins = 16): HistogramBin[] {
  let max = 0;
  for (const length of lengths) max = Math.max(max, length);
  let width = 1;
  while (Math.floor(max / width) >= maxBins) width *= 2;
  const bins: HistogramBin[] = Array.from({ length: Math.floor(max / width) + 1 }, (_, bin) => ({
    from: bin * width,
    to: (bin + 1) * width,
    count: 0,
  }));
  for (const length of lengths) bins[Math.floor(length / width)]!.count += 1;
  return bins;
}

function summarize(lengths: Uint32Array): LengthSummary {
  const sorted = lengths.toSorted();
  const count = sorted.length;
  if (count === 0) return { min: 0, mean: 0, median: 0, max: 0 };
  const median = (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2;
  return { min: sorted[0]!, mean: sorted.reduce((sum, length) => sum + length, 0) / count, median, max: sorted[count - 1]! };
}
