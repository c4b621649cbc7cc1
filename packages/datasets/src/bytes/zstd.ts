import { ByteQueue } from "./byte-queue.js";
import { InflateError } from "./inflate-error.js";
import type { BytePiece } from "./pieces.js";

/** The window that zstd itself decodes unless it is told `--long=31`; the decoder holds so many bytes. */
const MAX_WINDOW_BYTES = 2 ** 27;

/**
 * Inflates zstd, one frame after the other, block by block. Decoder and checksum are loaded when the first such file is read. The decoder is given a
 * frame's header only when the window it asks for is known to be small enough, and one block at a time. Throws InflateError for what is no zstd or does
 * not have its checksum, the decoder's Error for what it cannot decode.
 */
export async function* inflateZstd(pieces: AsyncIterable<BytePiece>): AsyncGenerator<BytePiece> {
  const [{ Decompress }, { default: xxhash }] = await Promise.all([import("fzstd"), import("xxhash-wasm")]);
  const { create64 } = await xxhash();
  const queue = new ByteQueue(pieces);
  while ((await queue.peek(1)).byteLength > 0) {
    const magic = uint32(await queue.take(4));
    if (magic >>> 4 === 0x184d2a5) {
      await skip(queue, uint32(await queue.take(4)));
      continue;
    }
    if (magic !== 0xfd2fb528) throw new InflateError("what follows a frame is none");
    let inflated: Uint8Array[] = [];
    const hash = create64();
    const decoder = new Decompress((bytes) => {
      hash.update(bytes);
      inflated.push(bytes);
    });
    function* taken(): Generator<BytePiece> {
      for (const bytes of inflated) yield { bytes, loadedBytes: queue.loadedBytes };
      inflated = [];
    }
    const { header, hasChecksum } = await frameHeader(queue);
    decoder.push(header);
    for (let isLast = false; !isLast;) {
      const block = await nextBlock(queue);
      isLast = block.isLast;
      decoder.push(block.bytes);
      yield* taken();
    }
    const checksum = await queue.take(hasChecksum ? 4 : 0);
    decoder.push(checksum, true);
    yield* taken();
    if (hasChecksum && Number(hash.digest() & 0xffffffffn) !== uint32(checksum)) throw new InflateError("its checksum is another");
  }
}

function uint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

/** Passes over bytes without holding them all. */
async function skip(queue: ByteQueue, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 2 ** 16) await queue.take(Math.min(left, 2 ** 16));
}

/** The header of a frame with its magic number (RFC 8878, 3.1.1.1), when its window is one that we hold. */
async function frameHeader(queue: ByteQueue): Promise<{ header: Uint8Array; hasChecksum: boolean }> {
  const [descriptor = 0] = await queue.peek(1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const windowBytes = isSingleSegment ? 0 : 1;
  const fields = await queue.take(1 + windowBytes + dictionaryBytes + sizeBytes);
  if (dictionaryBytes > 0) throw new InflateError("it needs a dictionary", { advice: "compress it without one" });
  const exponent = fields[1]!;
  const window = isSingleSegment ? littleEndian(fields.subarray(1)) : (1 + (exponent & 7) / 8) * 2 ** (10 + (exponent >> 3));
  if (window > MAX_WINDOW_BYTES) {
    throw new InflateError(`its window of ${window} bytes is larger than ${MAX_WINDOW_BYTES}`, {
      advice: "compress it without --long or --ultra",
    });
  }
  const header = new Uint8Array(4 + fields.byteLength);
  header.set([0x28, 0xb5, 0x2f, 0xfd]);
  header.set(fields, 4);
  return { header, hasChecksum: (descriptor & 4) !== 0 };
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

/** The next block with its header (RFC 8878, 3.1.1.2). */
async function nextBlock(queue: ByteQueue): Promise<{ bytes: Uint8Array; isLast: boolean }> {
  const [low = 0, middle = 0, high = 0] = await queue.peek(3);
  const size = (low >> 3) | (middle << 5) | (high << 13);
  const isRun = ((low >> 1) & 3) === 1;
  return { bytes: await queue.take(3 + (isRun ? 1 : size)), isLast: (low & 1) === 1 };
}
