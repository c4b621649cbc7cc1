import type { CausalLM, Device, Tensor, TokenBatch } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";
import type { PassSize } from "../memory/passes.js";
import { packWithPrompts } from "./pack-with-prompts.js";

/** Rows packed once on the device, with what scoring their completions needs: policy and reference go over the same batch. */
export interface ScoredBatch extends ScoredRows {
  /** The rows one after another, those without gradients last; where some share a prompt, it comes once, before the first of them. */
  readonly tokens: TokenBatch;
  /** Rows that go through the model with them, as constants: no gradient flows to their tokens. */
  readonly alongside: ScoredRows | undefined;
}

/** What is scored of some rows of a batch. */
export interface ScoredRows {
  readonly numRows: number;
  /** Scored tokens of each row. */
  readonly numScored: readonly number[];
  /** Undefined where no row has a token to score. */
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
  /** Rows that go through with these, off the tape, and for how much there is to be room: tokens of all together, and what is scored of these. */
  alongside?: { rows: readonly ScoredRow[]; largestJoint: PassSize | undefined } | undefined;
}

/**
 * Packs rows for `scoreBatch`. The first token of a row has nothing before it and is never scored. Rows that name one shared prompt go on from one computation
 * of it. Its tensors belong to the current scope.
 */
export function packScoredBatch(
  model: CausalLM,
  rows: readonly ScoredRow[],
  { largestPass, longestRow, alongside }: PackScoredBatchOptions = {},
): ScoredBatch {
  const { device } = model;
  const all = alongside ? [...rows, ...alongside.rows] : rows;
  const { sequences, prefixes, firstTokens, endTokens } = packWithPrompts(all);
  const numScored = largestPass?.numScored;
  const rowCapacity = alongside ? alongside.largestJoint?.numTokens : largestPass?.numTokens;
  const gradientTokens = alongside && { count: endTokens[rows.length - 1]!, capacity: largestPass?.numTokens };
  return {
    ...scoredRows(device, rows, firstTokens, numScored),
    tokens: model.packRows(sequences, { prefixes, rowCapacity, longestRow, gradientTokens }),
    alongside: alongside && scoredRows(device, alongside.rows, firstTokens.slice(rows.length), alongside.largestJoint?.numScored),
  };
}

/** @param firstTokens  for each row where its first token lies, as in `packWithPrompts` */
function scoredRows(device: Device, rows: readonly ScoredRow[], firstTokens: readonly number[], capacity: number | undefined): ScoredRows {
  const positions: number[] = [];
  const labels: number[] = [];
  const bounds = [0];
  for (const [row, { promptIds, completionIds, scoredMask }] of rows.entries()) {
    completionIds.forEach((id, index) => {
      const position = promptIds.length + index;
      if (position === 0 || scoredMask?.[index] === 0) return;
      positions.push(firstTokens[row]! + position - 1);
      labels.push(id);
    });
    bounds.push(positions.length);
  }
  const u32 = (values: number[], label: string, rowCapacity?: number): Tensor =>
    device.tensor(values, [values.length], "u32", label, rowCapacity);
  return {
    numRows: rows.length,
    numScored: rows.map((_, row) => bounds[row + 1]! - bounds[row]!),
    scored:
      positions.length === 0
        ? undefined
        : {
            positions: u32(positions, "scored positions", capacity),
            labels: u32(labels, "labels", capacity),
            bounds: u32(bounds, "row bounds"),
          },
  };
}
