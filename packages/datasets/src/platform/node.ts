import { brotliDecompressSync } from "node:zlib";

/** Bytes that brotli packed, at most `size` of them. */
export const unpackBrotli: ((packed: Uint8Array, size: number) => Uint8Array) | undefined = (packed, size) =>
  brotliDecompressSync(packed, { maxOutputLength: Math.max(1, size) });
