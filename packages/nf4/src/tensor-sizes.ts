import { defaultBlockSize } from "./host/quantize-weights.js";
import { nestedBlockSize } from "./host/scales.js";

/** Elements, of four bytes each, of the tensors that a weight has on the device. */
export interface Nf4TensorSizes {
  /** Scales. */
  numBlocks: number;
  codes: number;
  absmax: number;
  /** 0 with f32 scales. */
  nestedAbsmax: number;
  tables: number;
}

/** What a weight of so many elements takes, with its scales in f32 or quantised too. */
export function nf4TensorSizes(numElements: number, { blockSize, isNested }: { blockSize: number; isNested: boolean }): Nf4TensorSizes {
  const numBlocks = Math.ceil(numElements / blockSize);
  return {
    numBlocks,
    codes: Math.ceil(numElements / 8),
    absmax: isNested ? Math.ceil(numBlocks / 4) : numBlocks,
    nestedAbsmax: isNested ? Math.ceil(numBlocks / nestedBlockSize) : 0,
    tables: isNested ? 288 : 32,
  };
}

/** Bytes of each tensor that a weight of so many elements has on the device, in blocks of 64: codes, scales, scales of scales, tables. */
export function nf4ByteLengths(numElements: number, { doubleQuant }: { doubleQuant: boolean }): number[] {
  const { codes, absmax, nestedAbsmax, tables } = nf4TensorSizes(numElements, { blockSize: defaultBlockSize, isNested: doubleQuant });
  return [codes, absmax, tables, ...(doubleQuant ? [nestedAbsmax] : [])].map((size) => 4 * size);
}
