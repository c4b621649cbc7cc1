import { CapabilityError } from "@kto/core";
import type { Kernel, Piece, PieceResult } from "./kernel.js";

/** Makes a piece when its turn comes; nothing where it is no longer wanted. */
export type MakePiece = () => Piece | undefined;

/** Quantises pieces: on worker threads, or on the calling one. */
export interface Runner {
  /** Worker threads; 0 for the calling one. */
  readonly threads: number;
  /** The result of a piece, whose values are the runner's from then on; nothing where none was made. Pieces are made in the order of the calls. */
  run(make: MakePiece): Promise<PieceResult | undefined>;
  dispose(): void;
}

/** What is under way and what is asked for when a quantizer is disposed ends with. */
export function disposedError(): CapabilityError {
  return new CapabilityError("quantize: the quantizer was disposed; open another", { missing: "quantizer" });
}

/** Runs pieces on the calling thread, one after the other, and lets others in between. */
export function callingThread({ quantize }: Kernel): Runner {
  let last: Promise<unknown> = Promise.resolve();
  let isDisposed = false;
  return {
    threads: 0,
    run(make) {
      const result = last.then(() => {
        if (isDisposed) throw disposedError();
        const piece = make();
        return piece && quantize(piece);
      });
      last = result.catch(() => {}).then(() => new Promise((resolve) => setTimeout(resolve)));
      return result;
    },
    dispose() {
      isDisposed = true;
    },
  };
}
