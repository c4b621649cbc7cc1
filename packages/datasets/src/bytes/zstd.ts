import { ByteQueue } from "./byte-queue.js";
import { InflateError } from "./inflate-error.js";
import { type BytePiece, joined } from "./pieces.js";

/** No block of a frame holds more (RFC 8878, 3.1.1.2.3). */
const MAX_BLOCK_BYTES = 2 ** 17;

/** A larger window is none for libzstd in 32 bits. */
const MAX_WINDOW_EXPONENT = 30;

/** A frame is inflated at once, in memory that the decoder never gives back. */
const MAX_FRAME_BYTES = 2 ** 29;

const splitAdvice = "compress it in parts, or with gzip";

/**
 * Inflates zstd, one frame after the other. The decoder (libzstd itself, which checks checksums) is loaded when the first such file is read, and is given
 * a frame only when the sizes in it are known to be within bounds.
 *
 * @param limit  how many bytes so many bytes of the file may become
 * @throws InflateError for what is no zstd, is damaged or too large
 */
export async function* inflateZstd(pieces: AsyncIterable<BytePiece>, limit: (packedBytes: number) => number): AsyncGenerator<BytePiece> {
  const { ZSTDDecoder } = await import("zstddec");
  const decoder = new ZSTDDecoder();
  await decoder.init();
  const queue = new ByteQueue(pieces);
  while ((await queue.peek(1)).byteLength > 0) {
    const magic = uint32(await queue.peek(4));
    if (magic >>> 4 === 0x184d2a5) {
      await queue.take(4);
      await skip(queue, uint32(await queue.take(4)));
      continue;
    }
    if (magic !== 0xfd2fb528) throw new InflateError("what follows a frame is none");
    const frame = await nextFrame(queue);
    const most = Math.min(limit(frame.bytes.byteLength), MAX_FRAME_BYTES);
    if (frame.leastSize > most)
      throw new InflateError(`a part of it becomes ${frame.leastSize} bytes, where ${most} are taken`, { advice: splitAdvice });
    if (frame.mostSize > 0) yield { bytes: unpack(frame, most, decoder), loadedBytes: queue.loadedBytes };
  }
}

/** One frame, and the sizes between which it lies inflated. */
interface Frame {
  bytes: Uint8Array;
  leastSize: number;
  mostSize: number;
}

function unpack(
  { bytes, leastSize, mostSize }: Frame,
  most: number,
  decoder: { decode(bytes: Uint8Array, size: number): Uint8Array },
): Uint8Array {
  const room = Math.min(mostSize, most);
  let size = Math.min(room, Math.max(leastSize, 8 * bytes.byteLength, MAX_BLOCK_BYTES));
  for (;;) {
    const inflated = decoder.decode(bytes, size); // nothing for a frame that is damaged, and for one that needs more room
    if (inflated.byteLength >= Math.max(leastSize, 1)) return inflated;
    if (size === room) break;
    size = Math.min(room, 4 * size);
  }
  if (room < mostSize)
    throw new InflateError(`a part of it is damaged, or becomes more than the ${most} bytes that are taken`, { advice: splitAdvice });
  throw new InflateError("a part of it is damaged");
}

function uint32(bytes: Uint8Array): number {
  return bytes.byteLength < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

/** Passes over bytes without holding them all. */
async function skip(queue: ByteQueue, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 2 ** 16) await queue.take(Math.min(left, 2 ** 16));
}

/** Takes a whole frame (RFC 8878, 3.1.1): its header says how large it is inflated, or else its blocks say between which bounds. */
async function nextFrame(queue: ByteQueue): Promise<Frame> {
  const parts = [(await queue.take(4)).slice()];
  const [descriptor = 0] = await queue.peek(1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const header = await queue.take(1 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes);
  if (!isSingleSegment && 10 + (header[1]! >> 3) > MAX_WINDOW_EXPONENT) {
    throw new InflateError("its window is larger than a GiB", { advice: "compress it without --long=31" });
  }
  if (dictionaryBytes > 0) throw new InflateError("it needs a dictionary", { advice: "compress it without one" });
  parts.push(header.slice());
  let leastSize = 0;
  let mostSize = 0;
  for (let isLast = false; !isLast;) {
    const [low = 0, middle = 0, high = 0] = await queue.peek(3);
    isLast = (low & 1) === 1;
    const kind = (low >> 1) & 3;
    const size = (low >> 3) | (middle << 5) | (high << 13);
    parts.push((await queue.take(3 + (kind === 1 ? 1 : size))).slice());
    leastSize += kind === 2 ? 0 : size;
    mostSize += kind === 2 ? MAX_BLOCK_BYTES : size;
  }
  if ((descriptor & 4) !== 0) parts.push((await queue.take(4)).slice());
  const contentSize = sizeBytes === 0 ? undefined : littleEndian(header.subarray(-sizeBytes)) + (sizeBytes === 2 ? 256 : 0);
  return { bytes: joined(parts), leastSize: contentSize ?? leastSize, mostSize: contentSize ?? mostSize };
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}
