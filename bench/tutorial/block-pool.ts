import { nf4Codes, quantizeWeights } from "@kto/nf4";
import { bfloat16ToNumber, numberToBfloat16 } from "@kto/safetensors";
import { generatorFor, normal } from "./random.js";

/** Weights that share a scale. */
export const blockSize = 64;

/** Blocks of the pool. */
const numBlocks = 2 ** 14;
const standardDeviation = 0.02;
/** Blocks of one piece of a tensor: 4 MiB of bfloat16. */
const pieceBlocks = 2 ** 15;
/** The scale of a drawn block is that of the pool times a factor from 1 − this to 1 + this. */
const scaleSpread = 0.1;

/**
 * A million weights of N(0, 0.02²) in blocks of 64, as bfloat16 and quantised. A tensor of any size is a sequence of blocks drawn from it, four-bit
 * ones with scales of their own: quantising the weights of a whole model takes minutes, drawing them takes seconds.
 */
export class BlockPool {
  readonly #seed: number;
  /** [numBlocks · 64] bfloat16 bits */
  readonly #bfloat16: Uint16Array<ArrayBuffer>;
  /** [numBlocks · 32] NF4 codes, the even element in the high nibble */
  readonly #packed: Uint8Array<ArrayBuffer>;
  /** [numBlocks] f32 */
  readonly #absmax: Float32Array;

  constructor(seed: number) {
    const random = generatorFor(seed, "pool");
    this.#seed = seed;
    this.#bfloat16 = Uint16Array.from({ length: numBlocks * blockSize }, () => numberToBfloat16(standardDeviation * normal(random)));
    const { packed, absmax } = quantizeWeights(Float32Array.from(this.#bfloat16, bfloat16ToNumber));
    this.#packed = packed;
    this.#absmax = absmax;
  }

  /** The weights of a tensor that stays in 16 bits, [numWeights] bfloat16 bits, in pieces that are only good until the next one. */
  *bfloat16(name: string, numWeights: number): Generator<Uint8Array> {
    yield* this.#copies(name, this.#bfloat16.buffer, numWeights * 2, blockSize * 2);
  }

  /** The codes of a four-bit tensor, [ceil(numWeights / 2)] bytes, likewise. */
  *packed(name: string, numWeights: number): Generator<Uint8Array> {
    yield* this.#copies(name, this.#packed.buffer, Math.ceil(numWeights / 2), blockSize / 2);
  }

  /** The scales of a four-bit tensor, [ceil(numWeights / 64)] f32. */
  absmax(name: string, numWeights: number): Float32Array {
    const draw = this.#draws(name);
    return Float32Array.from({ length: Math.ceil(numWeights / blockSize) }, () => {
      const drawn = draw();
      const spread = Math.floor(drawn / numBlocks) / 2 ** 17 - 1; // the 18 bits that chose no block, from −1 to below 1
      return this.#absmax[drawn % numBlocks]! * (1 + scaleSpread * spread);
    });
  }

  /**
   * A four-bit tensor as bfloat16: bf16(f32(code · scale)), [numWeights] bits in pieces likewise.
   * @param absmax  [ceil(numWeights / 64)] f32, as a reader recovers them
   */
  *dequantized(name: string, numWeights: number, absmax: Float32Array): Generator<Uint8Array> {
    const draw = this.#draws(name);
    const values = new Uint16Array(16);
    const piece = new Uint16Array(pieceBlocks * blockSize);
    let at = 0;
    for (let block = 0; block < absmax.length; block++) {
      for (let code = 0; code < 16; code++) values[code] = numberToBfloat16(Math.fround(nf4Codes[code]! * absmax[block]!));
      const from = (draw() % numBlocks) * (blockSize / 2);
      for (let byte = from; byte < from + blockSize / 2; byte++) {
        const pair = this.#packed[byte]!;
        piece[at++] = values[pair >> 4]!;
        piece[at++] = values[pair & 15]!;
      }
      if (at === piece.length || block === absmax.length - 1) {
        const left = numWeights - (block + 1) * blockSize;
        yield new Uint8Array(piece.buffer, 0, 2 * (at + Math.min(0, left)));
        at = 0;
      }
    }
  }

  /** The draws of a tensor, always the same for one seed and name. The low bits of each choose a block. */
  #draws(name: string): () => number {
    const random = generatorFor(this.#seed, name);
    return () => random.nextUint32();
  }

  *#copies(name: string, source: ArrayBuffer, byteLength: number, blockBytes: number): Generator<Uint8Array> {
    const draw = this.#draws(name);
    const words = new Uint32Array(source);
    const blockWords = blockBytes / 4;
    const piece = new Uint32Array(pieceBlocks * blockWords);
    for (let written = 0; written < byteLength; written += piece.byteLength) {
      const numWords = Math.ceil(Math.min(piece.byteLength, byteLength - written) / 4);
      for (let to = 0; to < numWords;) {
        const from = (draw() % numBlocks) * blockWords;
        for (let word = 0; word < blockWords; word++) piece[to++] = words[from + word]!;
      }
      yield new Uint8Array(piece.buffer, 0, Math.min(piece.byteLength, byteLength - written));
    }
  }
}
