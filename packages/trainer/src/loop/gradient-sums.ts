import type { Device, GradientSink, ParameterBucket, Reader, StagedRead, Tensor } from "@kto/tensor";
import type { Collective } from "./collective.js";
import { piecesOf, type Piece, type Pieces } from "./gradient-pieces.js";

/** Elements of a piece, 4 MiB: large enough that a call more does not count beside the bytes, small enough that a bucket is many of them. */
const elementsOfPiece = 2 ** 20;

/** Pieces that are copied while a backward pass goes on, each to a mapped buffer of its own: gradients of adapters are fewer, and those of all weights are too many. */
const mostStaged = 64;

/** Gradients, and the parameters that they are of. */
export interface TrainedBuckets {
  parameters: readonly ParameterBucket[];
  /** In the layout of `parameters`. */
  gradients: readonly ParameterBucket[];
}

/**
 * Adds up the gradients of an update over the ranks of a run. They go in pieces: one is copied as soon as the last backward pass has recorded all that it adds to
 * it, read when the GPU has come there, summed by the collective and written back, while that pass goes on with the layers before. Every element is
 * added in the order of the ranks. A single rank reads nothing and has no buffers. Owns those of several; dispose it.
 */
export class GradientSums implements Disposable {
  /** Pieces of the last update that were on their way before its last backward pass had been recorded. */
  numCopiedEarly = 0;
  readonly #device: Device;
  readonly #collective: Collective;
  readonly #pieces: Pieces;
  readonly #reader: Reader | undefined;
  readonly #staged = new Map<Piece, StagedRead>();
  /** Host memory that pieces lay in before: new memory is slow at its first use. */
  readonly #host: Float32Array<ArrayBuffer>[] = [];
  /** What the op that is being recorded adds to. */
  readonly #asked = new Set<Tensor>();

  constructor(device: Device, collective: Collective, { parameters, gradients }: TrainedBuckets, pieceSize = elementsOfPiece) {
    this.#device = device;
    this.#collective = collective;
    this.#pieces = collective.size === 1 ? { all: [], byLeaf: new Map() } : piecesOf(parameters, gradients, pieceSize);
    const { all } = this.#pieces;
    if (all.length > 0) this.#reader = device.reader(4 * Math.max(...all.map(({ size }) => size)), Math.min(all.length, mostStaged));
  }

  /** A sink of the last backward passes of an update, which begins to read what they have done with. */
  watch(sink: GradientSink): GradientSink {
    if (!this.#reader) return sink;
    return {
      take: (leaf, gradient) => {
        const isTaken = sink.take(leaf, gradient);
        if (isTaken) this.#asked.add(leaf);
        return isTaken;
      },
      sumOf: (leaf) => {
        const sum = sink.sumOf?.(leaf);
        if (sum) this.#asked.add(leaf);
        return sum;
      },
      recorded: () => this.#settle(),
    };
  }

  /** Adds up, in place, when all passes of an update are recorded. */
  async sum(): Promise<void> {
    const reader = this.#reader;
    if (!reader) return;
    this.#settle();
    const { all } = this.#pieces;
    this.numCopiedEarly = all.filter(({ isCopied }) => isCopied).length;
    const reads: Promise<Float32Array<ArrayBuffer>>[] = [];
    const readNext = (): void => {
      const piece = all[reads.length];
      if (piece) reads.push(quiet(this.#read(piece)));
    };
    while (reads.length < Math.min(all.length, mostStaged)) readNext();
    const sums: Promise<void>[] = [];
    for (const [index, piece] of all.entries()) {
      const values = await reads[index]!; // sums begin in the order of the pieces, on every rank
      sums.push(quiet(this.#sumInto(piece, values)));
      readNext();
    }
    await Promise.all(sums);
  }

  dispose(): void {
    for (const staged of this.#staged.values()) staged.release();
    this.#staged.clear();
    this.#reader?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What was asked for has been added to: pieces that lack nothing now are copied. */
  #settle(): void {
    const leaves = [...this.#asked];
    this.#asked.clear();
    const pieces = new Set(leaves.flatMap((leaf) => this.#pieces.byLeaf.get(leaf) ?? []));
    for (const piece of pieces) piece.isCopied = false;
    for (const leaf of leaves) for (const piece of this.#pieces.byLeaf.get(leaf) ?? []) piece.touched.add(leaf);
    for (const piece of pieces) {
      const hasRoom = this.#staged.has(piece) || this.#staged.size < mostStaged;
      if (piece.touched.size === piece.numParameters && hasRoom) this.#copy(piece);
    }
  }

  #copy(piece: Piece): void {
    let staged = this.#staged.get(piece);
    if (!staged) this.#staged.set(piece, (staged = this.#reader!.stage()));
    using view = this.#device.unscoped(() =>
      this.#device.viewOf(piece.of, [piece.size], piece.of.byteOffset + 4 * piece.start, "gradients"),
    );
    staged.copy(view);
    piece.touched.clear();
    piece.isCopied = true;
  }

  async #read(piece: Piece): Promise<Float32Array<ArrayBuffer>> {
    if (!piece.isCopied) this.#copy(piece);
    const staged = this.#staged.get(piece)!;
    this.#staged.delete(piece);
    piece.isCopied = false;
    piece.touched.clear();
    const kept = this.#host.findIndex(({ length }) => length === piece.size);
    const values = kept < 0 ? new Float32Array(piece.size) : this.#host.splice(kept, 1)[0]!;
    await staged.readBytes(new Uint8Array(values.buffer));
    return values;
  }

  async #sumInto({ of, start }: Piece, values: Float32Array<ArrayBuffer>): Promise<void> {
    await this.#collective.sum(values);
    this.#device.writeBytes(of, new Uint8Array(values.buffer), 4 * start); // copied before it returns
    this.#host.push(values);
  }
}

/** A promise that is awaited later: what it throws is thrown there, and not before. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
