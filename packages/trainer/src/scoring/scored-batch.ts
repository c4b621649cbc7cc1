import type { CausalLM, Prefix, Tensor, TokenBatch } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";
import type { PassSize } from "../memory/passes.js";

/** Rows packed once on the device, with what scoring their completions needs: policy and reference go over the same batch. */
export interface ScoredBatch {
  readonly numRows: number;
  /** The rows one after another; where some share a prompt, it comes once, before the first of them. */
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

/**
 * Packs rows for `scoreBatch`. The first token of a row has nothing before it and is never scored. Rows that name one shared prompt go on from one computation
 * of it. Its tensors belong to the current scope.
 */
export function packScoredBatch(
  model: CausalLM,
  rows: readonly ScoredRow[],
  { largestPass, longestRow }: PackScoredBatchOptions = {},
): ScoredBatch {
  const { device } = model;
  const positions: number[] = [];
  const labels: number[] = [];
  const bounds = [0];
  const packed = packWithPrompts(rows);
  for (const [row, { promptIds, completionIds, scoredMask }] of rows.entries()) {
    completionIds.forEach((id, index) => {
      const position = promptIds.length + index;
      if (position === 0 || scoredMask?.[index] === 0) return;
      positions.push(packed.firstTokens[row]! + position - 1);
      labels.push(id);
    });
    bounds.push(positions.length);
  }
  const u32 = (values: number[], label: string, rowCapacity?: number): Tensor =>
    device.tensor(values, [values.length], "u32", label, rowCapacity);
  const numScored = largestPass?.numScored;
  return {
    numRows: rows.length,
    tokens: model.packRows(packed.sequences, { prefixes: packed.prefixes, rowCapacity: largestPass?.numTokens, longestRow }),
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

interface PackedPrompts {
  /** What goes through the model: rows, prompts that several rows share, and what these rows go on with. */
  sequences: number[][];
  prefixes: (Prefix | undefined)[];
  /** For each row where its first token would lie among all tokens, were the tokens before each of its own its own too. */
  firstTokens: number[];
}

/** The last token of a shared prompt is in each of its rows, since each predicts a token of its own from it. */
function packWithPrompts(rows: readonly ScoredRow[]): PackedPrompts {
  const counts = new Map<object | undefined, number>();
  for (const { sharedPrompt } of rows) counts.set(sharedPrompt, 1 + (counts.get(sharedPrompt) ?? 0));
  const places = new Map<object, number>();
  const packed: PackedPrompts = { sequences: [], prefixes: [], firstTokens: [] };
  let numTokens = 0;
  const add = (ids: number[], prefix: Prefix | undefined): void => {
    packed.sequences.push(ids);
    packed.prefixes.push(prefix);
    numTokens += ids.length;
  };
  for (const { promptIds, completionIds, sharedPrompt } of rows) {
    const length = promptIds.length - 1;
    const isShared = sharedPrompt !== undefined && length > 0 && counts.get(sharedPrompt)! > 1;
    if (isShared && !places.has(sharedPrompt)) {
      places.set(sharedPrompt, packed.sequences.length);
      add(promptIds.slice(0, -1), undefined);
    }
    packed.firstTokens.push(numTokens - (isShared ? length : 0));
    if (isShared) add([promptIds.at(-1)!, ...completionIds], { row: places.get(sharedPrompt)!, length });
    else add([...promptIds, ...completionIds], undefined);
  }
  return packed;
}
