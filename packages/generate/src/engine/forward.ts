import { collect, gatherRows, packSamplingSettings, sample, topLogProbs, type CausalLM, type Tensor, type TokenBatch } from "@kto/tensor";
import type { KeyValueCache, RowPiece } from "../cache/key-value-cache.js";
import { DrawnIds } from "./drawn-ids.js";
import type { Row } from "./row.js";

/** A row of a pass and how many tokens of it are computed. */
export interface RowStep {
  row: Row;
  numTokens: number;
}

/** Model and memory of the passes. */
export interface ForwardParts {
  model: CausalLM;
  cache: KeyValueCache;
  /** [maxRows, seenSize(vocabSize)] u32 */
  seen: Tensor;
}

/**
 * Records one pass over the next tokens of rows: a piece of each prompt, or, where all are past theirs, the id that was drawn last of each. Rows whose prompt
 * ends with it, and those past it, get an id drawn.
 *
 * @returns the rows that were drawn for, and their ids, used once; undefined ids where there were none
 */
export function forward({ model, cache, seen }: ForwardParts, steps: readonly RowStep[]): { rows: Row[]; drawn: DrawnIds | undefined } {
  const { device } = model;
  const pieces: RowPiece[] = steps.map(({ row, numTokens }) => ({ row: row.cached, numTokens }));
  for (const { row, numTokens } of pieces) cache.reserve(row, numTokens);
  const ending = steps.filter(({ row, numTokens }) => row.givenLeft <= numTokens).map(({ row }) => row);
  const made = device.scope("generate", () =>
    device.noGrad(() => {
      const attention = canDecode(model) ? { attendProjected: cache.attendProjected(pieces) } : { attend: cache.attend(pieces) };
      const hidden = model.hiddenStates(batchOf(model, steps), attention); // [numTokens, hiddenSize]
      if (ending.length === 0) return undefined;
      const rows = ending.length === hidden.shape[0] ? hidden : gatherRows(hidden, lastTokens(model, steps)); // [numDrawn, hiddenSize]
      const packed = packedSettings(ending);
      const table = device.tensor(packed, [ending.length, packed.length / ending.length], "u32", "sampling settings");
      const logits = model.logits(rows); // [numDrawn, vocabSize] f32
      const { ids } = sample(logits, table, seen);
      return { ids, logProbs: askedLogProbs(logits, ids, ending) };
    }),
  );
  for (const { row, numTokens } of pieces) row.length += numTokens;
  if (!made) return { rows: [], drawn: undefined };
  const drawn = new DrawnIds(made.ids, made.logProbs).use();
  ending.forEach((row, index) => {
    row.numDrawn += 1;
    row.last = { drawn, index };
  });
  return { rows: ending, drawn };
}

/** Storage buffers of a launch whose layers could not be computed together: more than the fewest that WebGPU promises. */
const buffersOfDecoding = 10;

/** Whether passes go through the model's `decode`: it has it, and the device takes as many buffers in a launch. */
export function canDecode(model: CausalLM): boolean {
  return model.decode !== undefined && model.device.capabilities.maxStorageBuffers >= buffersOfDecoding;
}

/** Log-probabilities of what was drawn, where a row asks for them: as many of the likeliest as the one that asks for most. */
export function askedLogProbs(logits: Tensor, ids: Tensor, rows: readonly Row[]): Tensor | undefined {
  const asked = rows.flatMap(({ request: { logprobs } }) => (logprobs === undefined ? [] : [Math.min(logprobs, logits.shape[1]!)]));
  return asked.length > 0 ? topLogProbs(logits, ids, Math.max(...asked)) : undefined;
}

/** The tokens of the pass: pieces of prompts, or ids that were drawn, which are taken from where they are. */
function batchOf(model: CausalLM, steps: readonly RowStep[]): TokenBatch {
  const longest = ({ row: { request, cached }, numTokens }: RowStep): number =>
    Math.max(request.promptIds.length, cached.length + numTokens);
  const options = { firstPositions: steps.map(({ row }) => row.cached.length), longestRow: Math.max(...steps.map(longest)) };
  if (steps[0]!.row.givenLeft > 0) {
    const pieces = steps.map(({ row: { cached, given }, numTokens }) => given.slice(cached.length, cached.length + numTokens));
    return model.packRows(pieces, options);
  }
  const batch = model.packRows(
    steps.map(() => [0]),
    options,
  );
  return { ...batch, inputIds: lastDrawn(lastPlaces(steps.map(({ row }) => row))) };
}

/** How the next id of each row is drawn: [numRows, 9] u32 of `sample`. */
export function packedSettings(rows: readonly Row[]): Uint32Array<ArrayBuffer> {
  return packSamplingSettings(rows.map(({ request, numDrawn, seenRow }) => ({ ...request.sampling, numDrawn, seenRow: seenRow! })));
}

/** Where the id that was drawn last of each row is. */
export function lastPlaces(rows: readonly Row[]): { tensor: Tensor; index: number }[] {
  return rows.map(({ last }) => ({ tensor: last!.drawn.tensor, index: last!.index }));
}

/** Ids that were drawn last: the tensor itself, if the same rows go on together. */
function lastDrawn(places: readonly { tensor: Tensor; index: number }[]): Tensor {
  const { tensor } = places[0]!;
  const isSame = tensor.size === places.length && places.every((place, index) => place.tensor === tensor && place.index === index);
  return isSame ? tensor : collect(places);
}

/** Where in the pass the last token of each row that is drawn for stands. */
function lastTokens(model: CausalLM, steps: readonly RowStep[]): Tensor {
  let end = 0;
  const last = steps.flatMap(({ row, numTokens }) => {
    end += numTokens;
    return row.givenLeft <= numTokens ? [end - 1] : [];
  });
  return model.device.tensor(last, [last.length], "u32", "last tokens");
}
