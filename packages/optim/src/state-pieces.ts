import { ArgumentError } from "@kto/core";
import type { Tensor } from "@kto/tensor";

/** Gives the bytes of a tensor of a state, in pieces. Throws ArgumentError for a key that the state does not have. */
export type StateReader = (key: string) => AsyncIterable<Uint8Array>;

/** Where a tensor of a state lies: bytes [start, end) of a tensor on the device. */
export interface StatePlace {
  tensor: Tensor;
  start: number;
  end: number;
}

/** Bytes that are read from the device at a time, and how many such pieces the host holds. */
const pieceBytes = 16 * 2 ** 20;
const maxPieces = 4;

/** Reads a state in pieces of 16 MiB, and what lies in one of the last four only once: many small parameters share a piece. */
export function stateReaderOf(places: Iterable<readonly [key: string, place: StatePlace]>): StateReader {
  const byKey = new Map(places);
  const pieces = new PieceReader();
  return (key) => {
    const place = byKey.get(key);
    if (place) return pieces.read(place);
    throw new ArgumentError(`stateReader: there is no state of this key; expected a key of stateTensors(), got ${JSON.stringify(key)}`);
  };
}

class PieceReader {
  /** The last at the end. */
  readonly #pieces: { tensor: Tensor; start: number; bytes: Uint8Array }[] = [];

  async *read({ tensor, start, end }: StatePlace): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end;) {
      const first = Math.floor(at / pieceBytes) * pieceBytes;
      const to = Math.min(end, first + pieceBytes);
      yield (await this.#piece(tensor, first)).subarray(at - first, to - first);
      at = to;
    }
  }

  async #piece(tensor: Tensor, start: number): Promise<Uint8Array> {
    const place = this.#pieces.findIndex((piece) => piece.tensor === tensor && piece.start === start);
    const [found] = place < 0 ? [] : this.#pieces.splice(place, 1);
    if (this.#pieces.length === maxPieces) this.#pieces.shift();
    const piece = found ?? { tensor, start, bytes: await readWords(tensor, start) };
    this.#pieces.push(piece);
    return piece.bytes;
  }
}

function readWords(tensor: Tensor, start: number): Promise<Uint8Array> {
  const { device, byteLength, byteOffset, label } = tensor;
  const size = Math.min(pieceBytes, byteLength - start);
  const words = device.unscoped(() => device.viewOf(tensor, [size / 4], byteOffset + start, label, "u32"));
  return device.readBytes(words).finally(() => words.dispose());
}

/** All of a state at once, by key. */
export async function wholeState(tensors: readonly { key: string }[], read: StateReader): Promise<Map<string, Uint8Array>> {
  const state = new Map<string, Uint8Array>();
  for (const { key } of tensors) {
    const pieces: Uint8Array[] = [];
    for await (const piece of read(key)) pieces.push(piece);
    const bytes = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.byteLength;
    }
    state.set(key, bytes);
  }
  return state;
}
