import { type ByteSource, FormatError, isKtoError } from "@kto/core";
import { inflateBzip2 } from "./bzip2.js";
import { inflateGzip } from "./gzip.js";
import { InflateError } from "./inflate-error.js";
import { type BytePiece, joined, piecesOf } from "./pieces.js";
import { inflateZstd } from "./zstd.js";

/** The kinds of compression that are read. */
export type Compression = "gzip" | "zstd" | "bzip2";

/**
 * What a file may become without a question, and how many times its size beyond that. Rows of text are compressed to a third or a twentieth, those that
 * repeat one long prompt to a hundredth; a bomb to a thousandth and less.
 */
const FREE_BYTES = 2 ** 25;
const MAX_RATIO = 200;

/** Inflated bytes are handed on in pieces of about this size. */
const OUTPUT_BYTES = 2 ** 18;

/** How many bytes so many bytes of a file may become. */
const limit = (packedBytes: number): number => FREE_BYTES + MAX_RATIO * packedBytes;

const inflaters: Record<Compression, (pieces: AsyncIterable<BytePiece>) => AsyncGenerator<BytePiece>> = {
  gzip: inflateGzip,
  zstd: (pieces) => inflateZstd(pieces, limit),
  bzip2: inflateBzip2,
};

/** How a file is compressed, by its first bytes; undefined when it is not, or in a way that is not read. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const begins = (...bytes: number[]): boolean => bytes.every((byte, index) => head[index] === byte);
  if (begins(0x1f, 0x8b, 0x08)) return "gzip";
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if ((head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd"; // begins with a frame to skip, as pzstd's do
  const isBlock = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59].every((byte, index) => head[4 + index] === byte);
  const isEmpty = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90].every((byte, index) => head[4 + index] === byte);
  return begins(0x42, 0x5a, 0x68) && (isBlock || isEmpty) ? "bzip2" : undefined;
}

/**
 * The inflated bytes of a compressed source in pieces of a quarter of a MiB; the file is read no faster than they are taken.
 * Throws FormatError for one that is damaged, or that becomes more than {@link MAX_RATIO} times as large.
 */
export async function* inflate(
  compression: Compression,
  source: ByteSource,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<BytePiece> {
  let inflatedBytes = 0;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let loadedBytes = 0;
  try {
    for await (const piece of inflaters[compression](piecesOf(source, name, signal))) {
      signal?.throwIfAborted();
      loadedBytes = piece.loadedBytes;
      inflatedBytes += piece.bytes.byteLength;
      if (inflatedBytes > limit(loadedBytes)) {
        throw new FormatError(
          `read: ${name} becomes too large; expected at most ${MAX_RATIO} times the ${loadedBytes} bytes of ${compression} read so far, got ${inflatedBytes}; if it is what you mean, decompress it yourself`,
          { source: name },
        );
      }
      waiting.push(piece.bytes);
      waitingBytes += piece.bytes.byteLength;
      if (waitingBytes < OUTPUT_BYTES) continue;
      const bytes = joined(waiting);
      for (let at = 0; at < bytes.byteLength; at += OUTPUT_BYTES) yield { bytes: bytes.subarray(at, at + OUTPUT_BYTES), loadedBytes };
      waiting = [];
      waitingBytes = 0;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (isKtoError(cause)) throw cause;
    const { message, advice } = cause instanceof InflateError ? cause : new InflateError((cause as Error).message);
    throw new FormatError(
      `read: ${name} cannot be decompressed; expected a complete ${compression} file, got one of which the decoder says "${message}"; ${advice}`,
      {
        source: name,
        cause,
      },
    );
  }
  if (waitingBytes > 0) yield { bytes: joined(waiting), loadedBytes };
}
