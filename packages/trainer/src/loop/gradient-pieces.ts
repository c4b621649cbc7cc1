import type { ParameterBucket, Tensor } from "@kto/tensor";

/** Some neighbouring gradients, and how far a backward pass has come with them. */
export interface Piece {
  /** The bucket's flat tensor, and the elements of it. */
  of: Tensor;
  start: number;
  size: number;
  /** Parameters with elements in it, and those of them that something was added to since the piece was last copied. */
  numParameters: number;
  readonly touched: Set<Tensor>;
  isCopied: boolean;
}

/** Buckets of gradients in pieces. */
export interface Pieces {
  /** The last of each bucket first: a backward pass comes to the last layers first. It is the same on every rank, whatever they have come to. */
  readonly all: readonly Piece[];
  /** Where the gradient of a parameter lies. */
  readonly byLeaf: ReadonlyMap<Tensor, readonly Piece[]>;
}

/** @param gradients  in the layout of `parameters` */
export function piecesOf(parameters: readonly ParameterBucket[], gradients: readonly ParameterBucket[], pieceSize: number): Pieces {
  const byLeaf = new Map<Tensor, Piece[]>();
  const all = gradients.flatMap((bucket, index) => {
    const { flat } = bucket;
    const pieces = Array.from({ length: Math.ceil(flat.size / pieceSize) }, (_, place): Piece => {
      const start = place * pieceSize;
      return { of: flat, start, size: Math.min(pieceSize, flat.size - start), numParameters: 0, touched: new Set(), isCopied: false };
    });
    for (const [name, leaf] of parameters[index]!.parameters) {
      const gradient = bucket.get(name);
      const first = (gradient.byteOffset - flat.byteOffset) / 4;
      const of = pieces.slice(Math.floor(first / pieceSize), Math.ceil((first + gradient.size) / pieceSize));
      for (const piece of of) piece.numParameters++;
      byLeaf.set(leaf, of);
    }
    return pieces.reverse();
  });
  return { all, byLeaf };
}
