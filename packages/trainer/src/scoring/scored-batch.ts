import type { CausalLM, Tensor, TokenBatch } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";
import type { PassSize } from "../memory/passes.js";

/** Rows packed once on the device, with what scoring their completions needs: policy and reference go over the same batch. */
export interface ScoredBatch {
  readonly numRows: number;
  /** The rows one after another. */
  readonly tokens: TokenBatch;
  /** Scored tokens of each row. */
  readonly numScored: readonly number[];
  /** What is scored; undefined where no row has a token to score. */
  readonly scored:
    | {
        /** [numScored] u32, the packed token before each scored one */
        readonly positions: Tensor;
        /** [numScored] u32, the scored tokens of all rows one after another */
        readonly labels: Tensor;
        /** [numRows + 1] u32, where each row's scored tokens begin among them */
        readonly bounds: Tensor;
      }
    | undefined;
}

/** Options of `packScoredBatch`. */
export interface PackScoredBatchOptions {
  /** The batch takes the memory of one of this size, so that batches of all sizes use the same buffers. */
  largestPass?: PassSize | undefined;
  /** Tokens of the longest row of the micro-batch that these rows are a part of; default that of the longest here. */
  longestRow?: number | undefined;
}

/** Packs rows for `scoreBatch`. The first token of a row has nothing before it and is never scored. Its tensors belong to the current scope. */
export function packScoredBatch(
  model: CausalLM,
  rows: readonly ScoredRow[],
  { largestPass, longestRow }: PackScoredBatchOptions = {},
): ScoredBatch {
  const { device } = model;
  const positions: number[] = [];
  const labels: number[] = [];
  const bounds = [0];
  let offset = 0;
  const packed = rows.map(({ promptIds, completionIds, scoredMask }) => {
    const ids = [...promptIds, ...completionIds];
    for (let position = Math.max(1, promptIds.length); position < ids.length; position++) {
      if (scoredMask?.[position - promptIds.length] === 0) continue;
      positions.push(offset + position - 1);
      labels.push(ids[position]!);
    }
    bounds.push(positions.length);
    offset += ids.length;
    return ids;
  });
  const u32 = (values: number[], label: string, rowCapacity?: number): Tensor =>
    device.tensor(values, [values.length], "u32", label, rowCapacity);
  const numScored = largestPass?.numScored;
  return {
    numRows: rows.length,
    tokens: model.packRows(packed, { rowCapacity: largestPass?.numTokens, longestRow }),
    numScored: rows.map((_, row) => bounds[row + 1]! - bounds[row]!),
    scored:
      positions.length === 0
        ? undefined
        : {
            positions: u32(positions, "scored positions", numScored),
            labels: u32(labels, "labels", numScored),
            bounds: u32(bounds, "row bounds"),
          },
  };
}
