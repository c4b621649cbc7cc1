import type { Fail } from "./damage.js";

/**
 * Unpacks `out.length` numbers of `width` bits from runs and bit-packed groups, `bytes[start, end)`, and returns where they end. A run that is longer than
 * what is left of `out` is cut there, and none is read past `end`.
 */
export function unpackHybrid(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  out: Uint8Array | Uint32Array,
  fail: Fail,
): number {
  if (width > 32) fail(`numbers have ${width} bits`);
  const valueBytes = (width + 7) >> 3;
  let offset = start;
  let seen = 0;
  while (seen < out.length) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (offset >= end || shift > 28) fail(`${out.length} numbers are expected, and after ${seen} the bytes end`);
      const byte = bytes[offset++]!;
      head += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    const count = Math.floor(head / 2);
    if (head % 2 === 1) {
      const taken = Math.min(count * 8, out.length - seen);
      if (offset + Math.ceil((taken * width) / 8) > end) fail(`a packed run of ${count * 8} numbers goes past its bytes`);
      unpackBits(bytes, offset, width, out, seen, taken);
      offset += count * width;
      seen += taken;
    } else {
      if (offset + valueBytes > end) fail("a run goes past its bytes");
      let value = 0;
      for (let byte = 0; byte < valueBytes; byte++) value += bytes[offset++]! * 2 ** (8 * byte);
      const taken = Math.min(count, out.length - seen);
      out.fill(value, seen, seen + taken);
      seen += taken;
    }
  }
  return Math.min(offset, end);
}

/** Numbers of `width` bits one after the other, the lowest bits of a byte first. */
function unpackBits(bytes: Uint8Array, start: number, width: number, out: Uint8Array | Uint32Array, first: number, count: number): void {
  let offset = start;
  let bit = 0;
  for (let index = first; index < first + count; index++) {
    let value = 0;
    let got = 0;
    while (got < width) {
      const take = Math.min(8 - bit, width - got);
      value |= ((bytes[offset]! >> bit) & ((1 << take) - 1)) << got;
      got += take;
      bit += take;
      if (bit === 8) {
        bit = 0;
        offset += 1;
      }
    }
    out[index] = value;
  }
}

/** Bits that the numbers 0 to `largest` take. */
export function bitsOf(largest: number): number {
  return 32 - Math.clz32(largest);
}
