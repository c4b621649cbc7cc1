import type { SFTConfig } from "../config/sft-config.js";
import { DataPreparationError } from "../data/errors.js";
import { cutRow, rowLength, type ScoredRow, type SourceRow } from "../data/rows.js";
import { joinRows, sliceOfRow } from "./documents.js";

/** A document to pack, with its place in the data. */
export interface SftDocument extends ScoredRow, SourceRow {}

/** A packed row: documents that do not attend to each other; under `wrapped` one, of the pieces of several. */
export interface PackedRow {
  documents: ScoredRow[];
  /** Places in the data of what it holds. */
  packedFrom: number[];
}

/** Documents that are packed together, as many as datasets' `map` hands on at a time. */
const documentsAtOnce = 1000;

/**
 * Documents packed into rows of at most `length` tokens, by one of trl's strategies, a thousand documents at a time.
 *
 *   bfd        each document cut to `length`; the longest first, into the row with the least room that still holds it, of such rows the one that came to
 *              that room first
 *   bfd_split  the same, longer documents in pieces of `length`
 *   wrapped    all of them one after another, cut every `length` tokens
 *
 * Documents without a token are left out. Throws DataPreparationError for a `length` that is no number of tokens.
 *
 * @see arXiv 2404.10830 (best-fit packing); trl 1.16, pack_dataset
 */
export function packDocuments(documents: readonly SftDocument[], length: number, strategy: SFTConfig["packingStrategy"]): PackedRow[] {
  if (!Number.isInteger(length) || length < 1)
    throw new DataPreparationError(
      `packDocuments: length is no number of tokens; expected an integer of at least 1, got ${length}; pass e.g. 1024`,
    );
  const packed: PackedRow[] = [];
  for (let start = 0; start < documents.length; start += documentsAtOnce) {
    const together = documents.slice(start, start + documentsAtOnce).filter((document) => rowLength(document) > 0);
    packed.push(...(strategy === "wrapped" ? wrapped(together, length) : bestFit(pieces(together, length, strategy), length)));
  }
  return packed;
}

function pieces(documents: readonly SftDocument[], length: number, strategy: "bfd" | "bfd_split"): SftDocument[] {
  if (strategy === "bfd") return documents.map((document) => cutRow(document, length));
  return documents.flatMap((document) =>
    Array.from({ length: Math.ceil(rowLength(document) / length) }, (_, piece) => ({
      ...sliceOfRow(document, piece * length, (piece + 1) * length),
      sourceIndex: document.sourceIndex,
    })),
  );
}

function bestFit(documents: readonly SftDocument[], length: number): PackedRow[] {
  const rows: PackedRow[] = [];
  const open = new OpenRows();
  const longestFirst = documents.map((document) => ({ document, size: rowLength(document) })).sort((a, b) => b.size - a.size); // stable
  for (const { document, size } of longestFirst) {
    const found = open.take(size);
    const { row, room } = found ?? { row: { documents: [], packedFrom: [] }, room: length };
    if (found === undefined) rows.push(row);
    row.documents.push(idsAndMask(document));
    row.packedFrom.push(document.sourceIndex);
    if (room > size) open.add(row, room - size);
  }
  return rows;
}

/** Rows with room, by how much: the first that came to it is the first to go. */
class OpenRows {
  readonly #byRoom = new Map<number, PackedRow[]>();
  /** Rooms that there are, ascending. */
  readonly #rooms: number[] = [];

  add(row: PackedRow, room: number): void {
    const rows = this.#byRoom.get(room);
    if (rows) rows.push(row);
    else {
      this.#byRoom.set(room, [row]);
      this.#rooms.splice(this.#place(room), 0, room);
    }
  }

  /** Takes the row with the least room that is at least `size`. */
  take(size: number): { row: PackedRow; room: number } | undefined {
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

function wrapped(documents: readonly SftDocument[], length: number): PackedRow[] {
  const rows: PackedRow[] = [];
  let room = 0;
  let parts: ScoredRow[] = [];
  const close = (): void => {
    if (parts.length > 0) rows.at(-1)!.documents.push(joinRows(parts));
    parts = [];
  };
  for (const document of documents) {
    const size = rowLength(document);
    for (let start = 0; start < size;) {
      if (room === 0) {
        close();
        rows.push({ documents: [], packedFrom: [] });
        room = length;
      }
      const end = Math.min(size, start + room);
      parts.push(sliceOfRow(document, start, end));
      rows.at(-1)!.packedFrom.push(document.sourceIndex);
      room -= end - start;
      start = end;
    }
  }
  close();
  return rows;
}

function idsAndMask({ promptIds, completionIds, scoredMask }: ScoredRow): ScoredRow {
  return { promptIds, completionIds, ...(scoredMask && { scoredMask }) };
}
