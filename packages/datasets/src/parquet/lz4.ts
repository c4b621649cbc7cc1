/** Matches of LZ4 are at least so long. */
const MIN_MATCH = 4;

/** A block of LZ4 as `size` bytes. Throws Error for a block that is damaged. */
export function unpackLz4(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const filled = unpackBlock(packed, out);
  return out.subarray(0, filled);
}

/**
 * LZ4 as Hadoop wrote it before Parquet named the plain block: blocks after each other, each behind its two sizes. Some writers put a plain block there,
 * which is what it is then taken for.
 */
export function unpackLz4Frames(packed: Uint8Array, size: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const out = new Uint8Array(size);
  let filled = 0;
  let offset = 0;
  while (offset + 8 <= packed.length) {
    const blockSize = view.getUint32(offset);
    const packedSize = view.getUint32(offset + 4);
    if (packedSize > packed.length - offset - 8 || blockSize > size - filled) break;
    const block = out.subarray(filled, filled + blockSize);
    if (tryBlock(packed.subarray(offset + 8, offset + 8 + packedSize), block) !== blockSize) break;
    filled += blockSize;
    offset += 8 + packedSize;
  }
  return offset === packed.length && filled === size ? out : unpackLz4(packed, size);
}

function tryBlock(packed: Uint8Array, out: Uint8Array): number {
  try {
    return unpackBlock(packed, out);
  } catch {
    return -1;
  }
}

/** Unpacks a block into `out` and returns how many bytes it made. */
function unpackBlock(packed: Uint8Array, out: Uint8Array): number {
  let offset = 0;
  let filled = 0;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) {
      if (offset >= packed.length) throw new Error("an LZ4 block ends within a length");
      byte = packed[offset++]!;
    }
    return length;
  };
  while (offset < packed.length) {
    const token = packed[offset++]!;
    const literals = lengthFrom(token >> 4);
    if (literals > packed.length - offset || literals > out.length - filled) throw new Error("an LZ4 block goes past its end");
    out.set(packed.subarray(offset, offset + literals), filled);
    offset += literals;
    filled += literals;
    if (offset === packed.length) break; // the last sequence has no match
    const distance = packed[offset]! | ((packed[offset + 1] ?? 0) << 8);
    offset += 2;
    const length = lengthFrom(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > filled || length > out.length - filled) throw new Error("an LZ4 block points outside itself");
    for (const end = filled + length; filled < end; filled++) out[filled] = out[filled - distance]!;
  }
  return filled;
}
