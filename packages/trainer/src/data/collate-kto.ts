import type { KtoRow } from "./prepare-kto-dataset.js";

/** Rows of ids padded on the right to one length. Row-major [batchSize, sequenceLength]. */
export interface PaddedRows {
  sequenceLength: number;
  /** Ids, `padTokenId` on padding. */
  inputIds: Uint32Array;
  /** 1 on tokens, 0 on padding. */
  attentionMask: Uint32Array;
  /** 1 on completion tokens, 0 elsewhere. */
  completionMask: Uint32Array;
}

/** A micro-batch of the KTO trainer; the `kl` arrays are padded separately, [batchSize, klSequenceLength], and absent for rows without borrowed completions. */
export interface KtoBatch extends PaddedRows {
  batchSize: number;
  /** 1 desirable, 0 undesirable. [batchSize] */
  label: Uint32Array;
  /** Where the rows stand in the dataset. [batchSize] */
  sourceIndex: Uint32Array;
  klSequenceLength?: number;
  klInputIds?: Uint32Array;
  klAttentionMask?: Uint32Array;
  klCompletionMask?: Uint32Array;
}

/** Options of {@link collateKto}. */
export interface CollateOptions {
  /** Longer rows keep their first `maxLength` ids; null keeps all. */
  maxLength: number | null;
  /** Id written on padding. Masks decide what is scored, so it may equal any other id. */
  padTokenId: number;
}

/** One micro-batch from prepared rows: prompt and completion joined, the start kept up to `maxLength`, padded on the right to the longest row. */
export function collateKto(rows: readonly KtoRow[], options: CollateOptions): KtoBatch {
  const matched = padRows(rows, (row) => row.completionIds, options);
  const batch: KtoBatch = {
    batchSize: rows.length,
    ...matched,
    label: Uint32Array.from(rows, (row) => (row.label ? 1 : 0)),
    sourceIndex: Uint32Array.from(rows, (row) => row.sourceIndex),
  };
  if (rows.some((row) => row.klCompletionIds === undefined)) return batch;
  const mismatched = padRows(rows, (row) => row.klCompletionIds!, options);
  return {
    ...batch,
    klSequenceLength: mismatched.sequenceLength,
    klInputIds: mismatched.inputIds,
    klAttentionMask: mismatched.attentionMask,
    klCompletionMask: mismatched.completionMask,
  };
}

/** The prompts of rows with the completions that `completionOf` picks, cut and padded. */
export function padRows<Row extends { promptIds: readonly number[] }>(
  rows: readonly Row[],
  completionOf: (row: Row) => readonly number[],
  { maxLength, padTokenId }: CollateOptions,
): PaddedRows {
  const limit = maxLength ?? Infinity;
  const lengths = rows.map((row) => Math.min(row.promptIds.length + completionOf(row).length, limit));
  const sequenceLength = Math.max(0, ...lengths);
  const size = rows.length * sequenceLength; // [batchSize, sequenceLength]
  const padded: PaddedRows = {
    sequenceLength,
    inputIds: new Uint32Array(size).fill(padTokenId),
    attentionMask: new Uint32Array(size),
    completionMask: new Uint32Array(size),
  };
  for (const [index, row] of rows.entries()) {
    const base = index * sequenceLength;
    const length = lengths[index]!;
    padded.inputIds.set([...row.promptIds, ...completionOf(row)].slice(0, length), base);
    padded.attentionMask.fill(1, base, base + length);
    padded.completionMask.fill(1, base + Math.min(row.promptIds.length, length), base + length);
  }
  return padded;
}
