import type { Mpi, Parts } from "./library/load-mpi.js";
import { done } from "./progress.js";

/** How many numbers go round at a time: 16 MiB, so that one piece is added while the next is on its way, and no count nears MPI's bound of 2³¹. */
const pieceLength = 2 ** 22;

/** What sums are made with. */
export interface Ranks {
  mpi: Mpi;
  rank: number;
  size: number;
}

/**
 * Adds up `numbers` over all ranks, in place: each rank is sent its slice of every rank's numbers, adds them in f32 in the order of ranks, and sends its sum to all.
 * `MPI_Iallreduce` leaves the order open, and so the last bits.
 */
export async function orderedSum(ranks: Ranks, numbers: Float32Array, length: number = pieceLength): Promise<void> {
  const sum = new SlicedSum(ranks, Math.min(length, numbers.length));
  const pieces: Float32Array[] = [];
  for (let start = 0; start < numbers.length; start += length) pieces.push(numbers.subarray(start, start + length));
  let received: Promise<Float32Array> | undefined;
  let gathered: Promise<unknown> | undefined;
  for (const [index, piece] of pieces.entries()) {
    received ??= sum.scatter(piece, index);
    const [mine] = await Promise.all([received, gathered]);
    const next = pieces[index + 1];
    received = next && sum.scatter(next, index + 1); // on its way while this piece is added and gathered
    gathered = sum.gather(piece, sum.add(piece, mine));
  }
  await gathered;
}

/** Memory for a sum of pieces: what came of two, and this rank's slice of one sum. */
class SlicedSum {
  readonly #ranks: Ranks;
  readonly #received: readonly Float32Array[];
  readonly #own: Float32Array;

  constructor(ranks: Ranks, pieceLength: number) {
    const slice = Math.ceil(pieceLength / ranks.size);
    this.#ranks = ranks;
    this.#received = [0, 1].map(() => new Float32Array(new ArrayBuffer(slice * ranks.size * 4)));
    this.#own = new Float32Array(new ArrayBuffer(slice * 4));
  }

  /** Sends every rank its slice of a piece; resolves to what all ranks have of this rank's, one behind the other. */
  async scatter(piece: Float32Array, index: number): Promise<Float32Array> {
    const { mpi, rank, size } = this.#ranks;
    const sent = slices(piece.length, size);
    const count = sent.counts[rank]!;
    const into = this.#received[index % 2]!;
    const received = parts(Array.from({ length: size }, () => count));
    await done(mpi, mpi.ialltoallv(piece, sent, into, received), "data", [piece, sent, into, received]);
    return into;
  }

  /** The sum of what came, in the order of ranks. */
  add(piece: Float32Array, received: Float32Array): Float32Array {
    const { rank, size } = this.#ranks;
    const count = slices(piece.length, size).counts[rank]!;
    const own = this.#own.subarray(0, count);
    own.set(received.subarray(0, count));
    for (let other = 1; other < size; other++) {
      const start = other * count;
      for (let index = 0; index < count; index++) own[index]! += received[start + index]!;
    }
    return own;
  }

  /** Puts the sums of all ranks where the piece was. */
  gather(piece: Float32Array, own: Float32Array): Promise<unknown> {
    const { mpi, size } = this.#ranks;
    const whole = slices(piece.length, size);
    return done(mpi, mpi.iallgatherv("float", own, piece, whole), "data", [own, piece, whole]);
  }
}

/** Slices of `length` numbers, as even as they can be. */
function slices(length: number, size: number): Parts {
  return parts(Array.from({ length: size }, (_, rank) => Math.floor(((rank + 1) * length) / size) - Math.floor((rank * length) / size)));
}

/** Parts of these lengths that lie one behind the other. */
export function parts(lengths: readonly number[]): Parts {
  const counts = new Int32Array(new ArrayBuffer(lengths.length * 4));
  const starts = new Int32Array(new ArrayBuffer(lengths.length * 4));
  let end = 0;
  for (const [rank, length] of lengths.entries()) {
    counts[rank] = length;
    starts[rank] = end;
    end += length;
  }
  return { counts, starts };
}
