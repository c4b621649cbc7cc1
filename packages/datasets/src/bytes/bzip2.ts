import { InflateError } from "./inflate-error.js";
import type { BytePiece } from "./pieces.js";

/** No block takes more bytes in the file: 32,767 selectors of 50 symbols of 20 bits each, and its tables. */
const MAX_BLOCK_BYTES = 5 * 2 ** 20;

/** Inflates bzip2, one stream after the other, block by block. The decoder is loaded when the first such file is read. Throws InflateError for what is no bzip2. */
export async function* inflateBzip2(pieces: AsyncIterable<BytePiece>): AsyncGenerator<BytePiece> {
  const [{ default: bzip2 }, { default: bitIterator }] = await Promise.all([
    import("unbzip2-stream/lib/bzip2.js"),
    import("unbzip2-stream/lib/bit_iterator.js"),
  ]);
  const source = pieces[Symbol.asyncIterator]();
  const waiting: Uint8Array[] = [];
  let pushedBytes = 0;
  let loadedBytes = 0;
  /** The decoder cannot wait, so it begins a block only when all of it is there. */
  const fill = async (takenBytes: number): Promise<boolean> => {
    while (pushedBytes - takenBytes < MAX_BLOCK_BYTES) {
      const { done, value } = await source.next();
      if (done) break;
      waiting.push(value.bytes);
      pushedBytes += value.bytes.byteLength;
      loadedBytes = value.loadedBytes;
    }
    return pushedBytes > takenBytes;
  };
  await fill(0);
  const bits = bitIterator(() => {
    const bytes = waiting.shift();
    if (!bytes) throw new InflateError("it ends early");
    return bytes;
  });
  const headerOf = (reader: typeof bits): number => {
    try {
      return bzip2.header(reader);
    } catch (cause) {
      throw cause instanceof InflateError ? cause : new InflateError("what follows a stream is none", { cause });
    }
  };
  const output = new GrowingBytes();
  while (await fill(bits.bytesRead)) {
    const blockSize = 100_000 * headerOf(bits);
    const block = new Int32Array(blockSize);
    let checksum: number | null = 0;
    while (checksum !== null) {
      await fill(bits.bytesRead);
      try {
        checksum = bzip2.decompress(bits, (byte) => output.push(byte), block, blockSize, checksum);
      } catch (cause) {
        throw cause instanceof InflateError ? cause : new InflateError("a block of it is damaged", { cause });
      }
      if (output.length > 0) yield { bytes: output.take(), loadedBytes };
    }
  }
}

class GrowingBytes {
  #bytes = new Uint8Array(2 ** 20);
  length = 0;

  push(byte: number): void {
    if (this.length === this.#bytes.byteLength) {
      const longer = new Uint8Array(2 * this.length);
      longer.set(this.#bytes);
      this.#bytes = longer;
    }
    this.#bytes[this.length++] = byte;
  }

  /** What was pushed since the last time. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.length);
    this.length = 0;
    return bytes;
  }
}
