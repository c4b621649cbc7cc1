import { ShapeError } from "../errors.js";
import { sampledProbabilitiesKernel, sampleKernel } from "../kernels/sample.wgsl.js";
import { samplingSettingsSize, samplingStateSize } from "../kernels/lib/sampling.js";
import { mostFewIds } from "../kernels/lib/vocabulary.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** How ids of a row are drawn; names and meaning as in transformers' GenerationConfig. */
export interface SamplingSettings {
  /** Scores are divided by it; 0 takes the largest score. */
  temperature: number;
  /** Keeps the so many largest scores and what equals the last of them; 0 keeps all. */
  topK: number;
  /** Keeps the fewest ids whose probabilities reach this sum; 1 keeps all. */
  topP: number;
  /** Keeps ids of at least this share of the largest probability; 0 keeps all. */
  minP: number;
  /** Scores of ids that the row has had are divided by it, or multiplied where negative; 1 leaves them. */
  repetitionPenalty: number;
  /** Of the random numbers of a row: two words of 32 bits. */
  seed: readonly [low: number, high: number];
  /** How many ids were drawn with this seed before: each draw has random numbers of its own. */
  numDrawn: number;
  /** The row of `seen` that holds the ids that this row has had; each row has its own. */
  seenRow: number;
}

/** The settings of rows as {@link sample} takes them: [numRows, 9] u32. */
export function packSamplingSettings(rows: readonly SamplingSettings[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(rows.length * samplingSettingsSize);
  const floats = new Float32Array(words.buffer);
  rows.forEach(({ temperature, topK, topP, minP, repetitionPenalty, seed, numDrawn, seenRow }, row) => {
    const at = row * samplingSettingsSize;
    floats.set([temperature, topP, minP, repetitionPenalty], at);
    words.set([topK, seed[0], seed[1], numDrawn, seenRow], at + 4);
  });
  return words;
}

/** Words of `seen` for a row: a bit for each id. */
export function seenSize(vocabSize: number): number {
  return Math.ceil(vocabSize / 32);
}

/** A row of `seen`: the bits of these ids. */
export function packSeen(ids: Iterable<number>, vocabSize: number): Uint32Array<ArrayBuffer> {
  const seen = new Uint32Array(seenSize(vocabSize));
  for (const id of ids) seen[id >> 5]! |= 1 << (id & 31);
  return seen;
}

/** What {@link sample} gives. */
export interface Sampled {
  /** [numRows] u32 */
  ids: Tensor;
  /** [numRows, 4] f32: what the draw kept; see {@link sampledProbabilities} */
  state: Tensor;
}

/**
 * Draws an id for each row of logits, on the device: repetition penalty, temperature, top-k, top-p and min-p in transformers' order, then a draw that
 * depends on the row's seed, its count and its scores alone, so that a row's ids are the same in any batch. Not on the tape.
 *
 * @param logits    [numRows, vocabSize] f32, finite
 * @param settings  [numRows, 9] u32, of `packSamplingSettings`
 * @param seen      [numSeenRows, seenSize(vocabSize)] u32, bit id % 32 of word id / 32 set for what the penalty counts as seen; the drawn ids are added
 * @param options.into  [numRows] u32 that gets the ids, in place of a new tensor
 * @throws ShapeError, DtypeError
 * @see transformers 5, generation/logits_process.py; Salmon et al. 2011 (Philox)
 */
export function sample(logits: Tensor, settings: Tensor, seen: Tensor, { into }: { into?: Tensor | undefined } = {}): Sampled {
  const [numRows, vocabSize] = checked("sample", logits, settings, seen);
  const { device } = logits;
  if (into) {
    expectDtype("sample", "into", into, "u32");
    expectShape("sample", "into", into, [numRows]);
  }
  const ids = into ?? device.empty([numRows], "u32", "sampled ids");
  const state = device.empty([numRows, samplingStateSize], "f32", "sampling state");
  sampleKernel.run(device, { logits, settings, seen, ids, state }, { numRows, vocabSize }, { fewIds: vocabSize <= mostFewIds });
  return { ids, state };
}

/**
 * The probabilities with which {@link sample} drew: 0 for what it left out.
 *
 * @param seen   as it was before the draw
 * @param state  of the draw
 * @returns      [numRows, vocabSize] f32
 */
export function sampledProbabilities(logits: Tensor, settings: Tensor, seen: Tensor, state: Tensor): Tensor {
  const [numRows, vocabSize] = checked("sampledProbabilities", logits, settings, seen);
  expectShape("sampledProbabilities", "state", state, [numRows, samplingStateSize]);
  const { device } = logits;
  const probabilities = device.empty([numRows, vocabSize], "f32", "sampled probabilities");
  sampledProbabilitiesKernel.run(device, { logits, settings, seen, state, probabilities }, { numRows, vocabSize }, {});
  return probabilities;
}

function checked(op: string, logits: Tensor, settings: Tensor, seen: Tensor): [numRows: number, vocabSize: number] {
  const [numRows, vocabSize] = logits.shape;
  if (logits.shape.length !== 2 || !numRows || !vocabSize)
    throw new ShapeError(`${op}: logits have the wrong shape; expected [numRows, vocabSize], got [${logits.shape.join(", ")}]`);
  expectDtype(op, "logits", logits, "f32");
  expectDtype(op, "settings", settings, "u32");
  expectDtype(op, "seen", seen, "u32");
  expectShape(op, "settings", settings, [numRows, samplingSettingsSize]);
  expectShape(op, "seen", seen, [seen.shape[0] ?? 0, seenSize(vocabSize)]);
  return [numRows, vocabSize];
}
