import { LoraConfigError } from "./errors.js";
import { philox } from "./philox.js";
import type { LoraTarget } from "./target-modules.js";

/** The two matrices of one adapted layer, row after row. */
export interface LoraWeights {
  /** A: [r, inFeatures] f32 */
  readonly a: Float32Array;
  /** B: [outFeatures, r] f32 */
  readonly b: Float32Array;
}

/**
 * A fresh adapter of one layer, by `initLoraWeights`.
 *
 *   true:       A ~ U(−1/√in, 1/√in) (Kaiming-uniform with a = √5), B = 0
 *   "gaussian": A ~ N(0, 1/r²), B = 0
 *   false:      A as for true, B ~ U(−1/√r, 1/√r): the model changes at once, a test aid
 *
 * With B = 0 the model computes what it did before, and the first gradient of A is exactly 0.
 * Values depend on the seed, the path and the position only, so a layer starts the same whatever else is adapted.
 * The distribution is peft's; the values are not torch's.
 *
 * @param seed  whole number from 0 to 2^53 − 1
 */
export function initialLoraWeights(
  { path, r, inFeatures, outFeatures }: LoraTarget,
  { seed, initLoraWeights = true }: { seed: number; initLoraWeights?: boolean | "gaussian" },
): LoraWeights {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new LoraConfigError(`initialLoraWeights: seed is out of range; expected a whole number from 0 to 2^53 - 1, got ${seed}`, {
      field: "seed",
    });
  const a = new Float32Array(r * inFeatures);
  const b = new Float32Array(outFeatures * r);
  if (initLoraWeights === "gaussian") fillNormal(a, 1 / r, `${path}.lora_A`, seed);
  else fillUniform(a, 1 / Math.sqrt(inFeatures), `${path}.lora_A`, seed);
  if (initLoraWeights === false) fillUniform(b, 1 / Math.sqrt(r), `${path}.lora_B`, seed);
  return { a, b };
}

/** values ~ U(−bound, bound) */
function fillUniform(values: Float32Array, bound: number, stream: string, seed: number): void {
  forEachBlock(values.length, stream, seed, (start, words) => {
    for (let lane = 0; lane < 4 && start + lane < values.length; lane++) values[start + lane] = bound * (2 * unit(words[lane]!) - 1);
  });
}

/** values ~ N(0, deviation²), by Box and Muller:  √(−2 ln u) · cos(2πv) and √(−2 ln u) · sin(2πv) */
function fillNormal(values: Float32Array, deviation: number, stream: string, seed: number): void {
  forEachBlock(values.length, stream, seed, (start, words) => {
    for (let lane = 0; lane < 4 && start + lane < values.length; lane++) {
      const pair = lane & ~1;
      const radius = Math.sqrt(-2 * Math.log(unit(words[pair]!)));
      const angle = 2 * Math.PI * unit(words[pair + 1]!);
      values[start + lane] = deviation * radius * (lane === pair ? Math.cos(angle) : Math.sin(angle));
    }
  });
}

/** A word as a number strictly between 0 and 1. */
const unit = (word: number): number => (word + 0.5) / 2 ** 32;

/** Four random words for every four values; the counter holds the block and a hash of the stream's name, the key the seed. */
function forEachBlock(length: number, stream: string, seed: number, fill: (start: number, words: readonly number[]) => void): void {
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)] as const;
  const low = hash(stream, 0x811c9dc5);
  const high = hash(stream, 0x01000193);
  for (let block = 0; block * 4 < length; block++) fill(block * 4, philox([block, 0, low, high], key));
}

/** FNV-1a, 32 bits, from a given start. */
function hash(text: string, start: number): number {
  let value = start;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
