import type { SFTConfig } from "../config/sft-config.js";
import { rowLength, type ScoredRow, type SourceRow } from "../data/rows.js";
import { joinRows, sliceOfRow } from "./documents.js";
import { packLengths, type Piece } from "./pack-lengths.js";

/** A document to pack, with its place in the data. */
export interface SftDocument extends ScoredRow, SourceRow {}

/** A packed row: documents that do not attend to each other; under `wrapped` one, of the pieces of several. */
export interface PackedRow {
  documents: ScoredRow[];
  /** Places in the data of what it holds. */
  packedFrom: number[];
}

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
  const packing = packLengths(Uint32Array.from(documents, rowLength), length, strategy);
  return Array.from({ length: packing.numRows }, (_, row) =>
    packedRow(packing.piecesOf(row), strategy, ({ document }) => documents[document]!),
  );
}

/** The row of some pieces, whose documents are read by `documentOf`. */
export function packedRow(
  pieces: readonly Piece[],
  strategy: SFTConfig["packingStrategy"],
  documentOf: (piece: Piece) => SftDocument,
): PackedRow {
  const packedFrom: number[] = [];
  const parts = pieces.map((piece) => {
    const { sourceIndex, ...row } = documentOf(piece);
    packedFrom.push(sourceIndex);
    return sliceOfRow(row, piece.start, piece.end);
  });
  return { documents: strategy === "wrapped" ? [joinRows(parts)] : parts, packedFrom };
}
