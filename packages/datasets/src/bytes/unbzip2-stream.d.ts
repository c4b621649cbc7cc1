/** The decoder inside unbzip2-stream, which decodes a block at a time; the package itself has no types. */
declare module "unbzip2-stream/lib/bzip2.js" {
  /** Reads so many bits; `null` goes on to the next whole byte. `bytesRead` counts the bytes begun. */
  interface BitReader {
    (count: number | null): number;
    bytesRead: number;
  }
  const bzip2: {
    /** Reads the header of a stream; gives the size of its blocks in units of 100,000 bytes. */
    header(bits: BitReader): number;
    /** Reads a block, giving its bytes one by one; returns the checksum so far, null at the end of the stream. */
    decompress(bits: BitReader, use: (byte: number) => void, block: Int32Array, blockSize: number, checksum: number): number | null;
  };
  export default bzip2;
}

declare module "unbzip2-stream/lib/bit_iterator.js" {
  import type { BitReader } from "unbzip2-stream/lib/bzip2.js";
  export default function bitIterator(nextBytes: () => Uint8Array): BitReader;
}
