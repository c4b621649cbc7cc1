import { defaultBlockSize } from "./host/quantize-weights.js";
import { nestedBlockSize } from "./host/scales.js";

/** Bytes of each tensor that a weight of so many elements has on the device, in blocks of 64: codes, scales, scales of scales, tables. */
export function nf4ByteLengths(numElements: number, { doubleQuant }: { doubleQuant: boolean }): number[] {
  const numBlocks = Math.ceil(numElements / defaultBlockSize);
  const codes = 4 * Math.ceil(numElements / 8);
  if (!doubleQuant) return [codes, 4 * numBlocks, 4 * 32];
  return [codes, 4 * Math.ceil(numBlocks / 4), 4 * Math.ceil(numBlocks / nestedBlockSize), 4 * 288];
}
