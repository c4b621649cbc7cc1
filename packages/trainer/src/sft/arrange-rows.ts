import type { SFTConfig } from "../config/sft-config.js";
import { lazyRows, sketchesOf, type RowSequence } from "../data/row-sequence.js";
import { cutRow, numScoredTokens, rowLength, type ScoredRow, type SourceRow } from "../data/rows.js";
import { packedRow, type SftDocument } from "./pack-documents.js";
import { packLengths, type Piece } from "./pack-lengths.js";

/** One row as the SFT trainer takes it: documents that do not attend to each other, cut to `maxLength` together. Unpacked, a row is one document. */
export interface SftRow extends SourceRow {
  documents: readonly ScoredRow[];
}

/** Tokens of rows as they are trained on. */
export interface TokenCounts {
  total: number;
  scored: number;
}

/** Each document as a row, cut to `maxLength`. */
export function singleRows(documents: RowSequence<SftDocument>, maxLength: number | null): RowSequence<SftRow> {
  const sketchOf = sketchesOfPieces(documents);
  const rowOf = ({ sourceIndex, ...document }: SftDocument): SftRow => ({ documents: [cutRow(document, maxLength)], sourceIndex });
  return lazyRows(
    documents.length,
    (index) => rowOf(documents.at(index)!),
    (index) => rowOf(sketchOf({ document: index, start: 0, end: maxLength ?? Infinity })),
  );
}

/** Documents packed into rows of at most `length` tokens, but those rows in which nothing is scored. Their ids are read when a row is asked for. */
export function packedRows(
  documents: RowSequence<SftDocument>,
  length: number,
  strategy: SFTConfig["packingStrategy"],
): RowSequence<SftRow> {
  const sketchAt = sketchesOf(documents);
  const lengths = Uint32Array.from({ length: documents.length }, (_, index) => rowLength(sketchAt(index)));
  const packing = packLengths(lengths, length, strategy);
  const rowBy =
    (documentOf: (piece: Piece) => SftDocument) =>
    (row: number): SftRow => {
      const { documents: parts, packedFrom } = packedRow(packing.piecesOf(row), strategy, documentOf);
      return { documents: parts, sourceIndex: packedFrom[0]!, packedFrom };
    };
  const sketchOfRow = rowBy(sketchesOfPieces(documents));
  const kept = Uint32Array.from({ length: packing.numRows }, (_, row) => row).filter((row) => countTokens(sketchOfRow(row)).scored > 0);
  const rowAt = rowBy(({ document }) => documents.at(document)!);
  return lazyRows(
    kept.length,
    (index) => rowAt(kept[index]!),
    (index) => sketchOfRow(kept[index]!),
  );
}

/** Tokens of all rows together. */
export function countAllTokens(rows: RowSequence<SftRow>): TokenCounts {
  const sketchAt = sketchesOf(rows);
  const counts = { total: 0, scored: 0 };
  for (let index = 0; index < rows.length; index++) {
    const { total, scored } = countTokens(sketchAt(index));
    counts.total += total;
    counts.scored += scored;
  }
  return counts;
}

function countTokens({ documents }: SftRow): TokenCounts {
  const sumOf = (of: (document: ScoredRow) => number): number => documents.reduce((total, document) => total + of(document), 0);
  return { total: sumOf(rowLength), scored: sumOf(numScoredTokens) };
}

/**
 * Reads documents for their lengths and counts alone. One with a mask, of which a part is taken, is read as it is: what of it is scored depends on where its
 * bits stand.
 */
function sketchesOfPieces(documents: RowSequence<SftDocument>): (piece: Piece) => SftDocument {
  const sketchAt = sketchesOf(documents);
  return ({ document, start, end }) => {
    const sketch = sketchAt(document);
    const isWhole = start === 0 && end >= rowLength(sketch);
    return isWhole || sketch.scoredMask === undefined ? sketch : documents.at(document)!;
  };
}
