import type { Random } from "./random.js";

/** Numbers at which readers of lengths, counts and offsets go wrong. */
const edges = [0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** A few changes of a file's bytes: flips, edge values in both byte orders, ranges cut, doubled, moved or filled. */
export function mutateBytes(input: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = input.slice();
  for (let left = 1 + random.length(8); left > 0; left--) bytes = changed(bytes, random);
  return bytes;
}

function changed(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return Uint8Array.from({ length: random.length(64) }, () => random.below(256));
  const at = random.below(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random.length(bytes.length));
  switch (random.below(9)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      return withNumber(bytes, at, random);
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(end));
    case 4:
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    case 5:
      return bytes.slice(0, at);
    case 6:
      return bytes.copyWithin(random.below(bytes.length), at, end);
    case 7:
      return bytes.fill(random.pick([0, 255, 0x80, 0x22]), at, end);
    default:
      return joined(
        bytes.subarray(0, at),
        Uint8Array.from({ length: random.length(32) }, () => random.below(256)),
        bytes.subarray(at),
      );
  }
}

function withNumber(bytes: Uint8Array, at: number, random: Random): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [value, littleEndian] = [random.pick(edges) + random.below(3) - 1, random.chance(0.8)];
  const room = bytes.length - at;
  if (room >= 8 && random.chance(0.3)) view.setBigInt64(at, BigInt(value) * (random.chance(0.5) ? 1n : 2n ** 31n), littleEndian);
  else if (room >= 4) view.setInt32(at, value, littleEndian);
  else view.setInt8(at, value);
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
