import type { Device, ParameterBucket, Reader, Tensor } from "@kto/tensor";
import type { Collective } from "./collective.js";

/** Elements of a piece, 4 MiB: large enough that a call more does not count beside the bytes, small enough that a bucket is many of them. */
const pieceSize = 2 ** 20;

/** Pieces that are read ahead of the one that is being summed; each has a mapped buffer of its own. */
const readAhead = 3;

/**
 * Adds up gradients over the ranks of a run. A bucket goes in pieces, so that one is read back through a ring of mapped buffers while those before it are summed
 * by the collective and written back. Every element is added in the order of the ranks, wherever a piece ends. Owns the ring; dispose it.
 */
export class GradientSums implements Disposable {
  readonly #device: Device;
  readonly #collective: Collective;
  #ring: Reader | undefined;

  constructor(device: Device, collective: Collective) {
    this.#device = device;
    this.#collective = collective;
  }

  /** Adds up buckets in place; with one rank there is nothing to add, and nothing is read. */
  async sum(buckets: readonly ParameterBucket[]): Promise<void> {
    if (this.#collective.size === 1) return;
    const pieces = buckets.flatMap(({ flat }) => piecesOf(flat));
    this.#ring ??= this.#device.reader(4 * pieceSize);
    const ring = this.#ring;
    const reads: Promise<Uint8Array<ArrayBuffer>>[] = [];
    const sums: Promise<void>[] = [];
    const readNext = (): void => {
      const piece = pieces[sums.length + reads.length];
      if (piece) reads.push(quiet(this.#read(ring, piece)));
    };
    for (let ahead = 0; ahead <= readAhead; ahead++) readNext();
    for (const piece of pieces) {
      const bytes = await reads.shift()!; // sums begin in the order of the pieces, on every rank
      sums.push(quiet(this.#sumInto(piece, bytes)));
      readNext();
    }
    await Promise.all(sums);
  }

  dispose(): void {
    this.#ring?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #read(ring: Reader, { of, start, size }: Piece): Promise<Uint8Array<ArrayBuffer>> {
    using view = this.#device.unscoped(() => this.#device.viewOf(of, [size], 4 * start, "gradients"));
    return await ring.readBytes(view);
  }

  async #sumInto({ of, start }: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#collective.sum(new Float32Array(bytes.buffer));
    this.#device.writeBytes(of, bytes, 4 * start);
  }
}

/** Some elements of a flat tensor. */
interface Piece {
  of: Tensor;
  start: number;
  size: number;
}

function piecesOf(of: Tensor): Piece[] {
  const count = Math.ceil(of.size / pieceSize);
  return Array.from({ length: count }, (_, index) => {
    const start = index * pieceSize;
    return { of, start, size: Math.min(pieceSize, of.size - start) };
  });
}

/** A promise that is awaited later: what it throws is thrown there, and not before. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
