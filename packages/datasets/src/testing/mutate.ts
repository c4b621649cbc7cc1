import { MersenneTwister } from "../random.js";

/** Numbers that lengths, counts and offsets are often wrong with. */
const INTERESTING = [0, 1, 2, 3, 7, 8, 15, 16, 31, 63, 64, 100, 127, 128, 129, 200, 240, 248, 250, 252, 254, 255];
const INTERESTING_WORDS = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 30, 2 ** 24, 65_535, 65_536, 1_000_000, 128, 255];

/** The mutant number `seed` of a file: the same one every time. Its length, a count, a run of bytes, or its structure is damaged, mostly in one place. */
export function mutate(bytes: Uint8Array, seed: number, others: readonly Uint8Array[] = []): Uint8Array {
  const random = new Random(seed);
  let mutant: Uint8Array = Uint8Array.from(bytes);
  const steps = random.below(4) === 0 ? 1 + random.below(8) : 1;
  for (let step = 0; step < steps && mutant.length > 0; step++) mutant = damaged(mutant, random, others);
  return mutant;
}

class Random {
  readonly #twister: MersenneTwister;

  constructor(seed: number) {
    this.#twister = new MersenneTwister(seed);
  }

  below(count: number): number {
    return this.#twister.nextUint32() % count;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

/** A place: metadata lies at the end of Parquet and at the beginning of Arrow. */
function placeIn(bytes: Uint8Array, random: Random): number {
  const near = 1 + random.below(Math.min(bytes.length, 600));
  const place = random.of([random.below(bytes.length), bytes.length - near, near - 1]);
  return Math.min(place, bytes.length - 1);
}

function damaged(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  const at = placeIn(bytes, random);
  const span = 1 + random.below(random.of([4, 16, 256]));
  switch (random.below(12)) {
    case 0:
    case 1:
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 2:
    case 3:
      bytes[at] = random.of(INTERESTING);
      return bytes;
    case 4:
      bytes[at] = (bytes[at]! + random.of([1, 2, 254, 255])) & 255;
      return bytes;
    case 5:
      bytes.set(new Uint8Array(Int32Array.of(random.of(INTERESTING_WORDS)).buffer).subarray(0, bytes.length - (at & ~3)), at & ~3);
      return bytes;
    case 6:
      return bytes.fill(random.of([0, 255, 128, 127]), at, at + span);
    case 7:
      return joined(bytes.subarray(0, at), bytes.subarray(at + span));
    case 8:
      return joined(
        bytes.subarray(0, at),
        Uint8Array.from({ length: span }, () => random.below(256)),
        bytes.subarray(at),
      );
    case 9:
      return bytes.copyWithin(at, placeIn(bytes, random), placeIn(bytes, random));
    case 10:
      return bytes.slice(0, at);
    default: {
      const other = others.length > 0 ? random.of(others) : bytes;
      const from = placeIn(other, random);
      bytes.set(other.subarray(from, Math.min(from + span, from + bytes.length - at)), at);
      return bytes;
    }
  }
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
