import type { SFTConfig } from "../config/sft-config.js";
import { DataPreparationError } from "../data/errors.js";
import { GrowingArray } from "../data/growing-array.js";

/** Tokens `start` to `end` of a document. */
export interface Piece {
  document: number;
  start: number;
  end: number;
}

/** Rows of pieces of documents. */
export interface Packing {
  readonly numRows: number;
  /** The pieces of a row, in their order. */
  piecesOf(row: number): Piece[];
}

/** Documents that are packed together, as many as datasets' `map` hands on at a time. */
const documentsAtOnce = 1000;

/**
 * How documents of these lengths are packed into rows of at most `length` tokens: 12 bytes for each piece of a document are in memory, and 4 for each row.
 * Documents without a token are left out. Throws DataPreparationError for a `length` that is no number of tokens. See `packDocuments`.
 */
export function packLengths(lengths: Uint32Array, length: number, strategy: SFTConfig["packingStrategy"]): Packing {
  if (!Number.isInteger(length) || length < 1)
    throw new DataPreparationError(
      `packDocuments: length is no number of tokens; expected an integer of at least 1, got ${length}; pass e.g. 1024`,
    );
  const pieces = new GrowingArray(new Uint32Array(0)); // document, start, end
  const ends = new GrowingArray(new Uint32Array(0)); // of each row, its pieces and those of the rows before
  for (let first = 0; first < lengths.length; first += documentsAtOnce) {
    const together = wholeDocuments(lengths, first, Math.min(first + documentsAtOnce, lengths.length));
    for (const row of strategy === "wrapped" ? wrapped(together, length) : bestFit(fitting(together, length, strategy), length)) {
      for (const { document, start, end } of row) for (const number of [document, start, end]) pieces.push(number);
      ends.push(pieces.length / 3);
    }
  }
  const [ofPieces, ofRows] = [pieces.toArray(), ends.toArray()];
  return {
    numRows: ofRows.length,
    piecesOf(row) {
      const first = row === 0 ? 0 : ofRows[row - 1]!;
      return Array.from({ length: ofRows[row]! - first }, (_, index) => {
        const [document, start, end] = ofPieces.subarray(3 * (first + index)) as unknown as [number, number, number];
        return { document, start, end };
      });
    },
  };
}

function wholeDocuments(lengths: Uint32Array, from: number, to: number): Piece[] {
  const whole = Array.from({ length: to - from }, (_, index) => ({ document: from + index, start: 0, end: lengths[from + index]! }));
  return whole.filter(({ end }) => end > 0);
}

/** Pieces of at most `length`: the start of each document, or all of it. */
function fitting(documents: readonly Piece[], length: number, strategy: "bfd" | "bfd_split"): Piece[] {
  return documents.flatMap(({ document, end }) => {
    const count = strategy === "bfd" ? 1 : Math.ceil(end / length);
    return Array.from({ length: count }, (_, piece) => ({
      document,
      start: piece * length,
      end: Math.min(end, (piece + 1) * length),
    }));
  });
}

const sizeOf = ({ start, end }: Piece): number => end - start;

function bestFit(pieces: readonly Piece[], length: number): Piece[][] {
  const rows: Piece[][] = [];
  const open = new OpenRows();
  for (const piece of pieces.toSorted((a, b) => sizeOf(b) - sizeOf(a)) /* stable */) {
    const size = sizeOf(piece);
    const found = open.take(size);
    const { row, room } = found ?? { row: [], room: length };
    if (found === undefined) rows.push(row);
    row.push(piece);
    if (room > size) open.add(row, room - size);
  }
  return rows;
}

/** Rows with room, by how much: the first that came to it is the first to go. */
class OpenRows {
  readonly #byRoom = new Map<number, Piece[][]>();
  /** Rooms that there are, ascending. */
  readonly #rooms: number[] = [];

  add(row: Piece[], room: number): void {
    const rows = this.#byRoom.get(room);
    if (rows) rows.push(row);
    else {
      this.#byRoom.set(room, [row]);
      this.#rooms.splice(this.#place(room), 0, room);
    }
  }

  /** Takes the row with the least room that is at least `size`. */
  take(size: number): { row: Piece[]; room: number } | undefined {
    const place = this.#place(size);
    const room = this.#rooms[place];
    if (room === undefined) return undefined;
    const rows = this.#byRoom.get(room)!;
    const row = rows.shift()!;
    if (rows.length === 0) {
      this.#byRoom.delete(room);
      this.#rooms.splice(place, 1);
    }
    return { row, room };
  }

  /** Where in the list the first room of at least `room` stands. */
  #place(room: number): number {
    let [from, to] = [0, this.#rooms.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#rooms[middle]! < room) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

function wrapped(documents: readonly Piece[], length: number): Piece[][] {
  const rows: Piece[][] = [];
  let room = 0;
  for (const { document, end: size } of documents) {
    for (let start = 0; start < size;) {
      if (room === 0) {
        rows.push([]);
        room = length;
      }
      const end = Math.min(size, start + room);
      rows.at(-1)!.push({ document, start, end });
      room -= end - start;
      start = end;
    }
  }
  return rows;
}
