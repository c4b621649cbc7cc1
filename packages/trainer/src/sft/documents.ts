import { rowLength, type ScoredRow } from "../data/rows.js";

/** A sequence of ids of which some are scored. Its first token, before which nothing stands, is never scored where it is a row of its own. */
export function scoredRow(ids: readonly number[], isScored: (position: number) => boolean): ScoredRow {
  const bits = ids.map((_id, position) => (isScored(position) ? 1 : 0));
  const first = bits.indexOf(1);
  if (first === -1) return { promptIds: ids, completionIds: [] };
  const mask = bits.slice(first);
  return { promptIds: ids.slice(0, first), completionIds: ids.slice(first), ...(mask.includes(0) && { scoredMask: mask }) };
}

/** The ids of a document. */
export function idsOfRow({ promptIds, completionIds }: ScoredRow): number[] {
  return [...promptIds, ...completionIds];
}

/** Whether the token at a position of a document is scored, by its masks alone: also its first. */
export function isScoredAt({ promptIds, scoredMask }: ScoredRow, position: number): boolean {
  return position >= promptIds.length && scoredMask?.[position - promptIds.length] !== 0;
}

/** Whether any token of a document is scored, by its masks alone. */
export function isScoredAnywhere(row: ScoredRow): boolean {
  return row.completionIds.length > 0 && (row.scoredMask?.includes(1) ?? true);
}

/** Tokens `start` to `end` of a document, scored as they are in it. */
export function sliceOfRow(row: ScoredRow, start: number, end: number): ScoredRow {
  if (start === 0 && end >= rowLength(row)) return row;
  const { promptIds, completionIds, scoredMask } = row;
  const [from, to] = [start - promptIds.length, end - promptIds.length].map((place) => Math.max(0, place)) as [number, number];
  const mask = scoredMask?.slice(from, to);
  return {
    promptIds: promptIds.slice(start, end),
    completionIds: completionIds.slice(from, to),
    ...(mask?.includes(0) && { scoredMask: mask }),
  };
}

/** Documents one after another as one sequence, each token scored as it is in its document. */
export function joinRows(rows: readonly ScoredRow[]): ScoredRow {
  const bits = rows.flatMap((row) => Array.from({ length: rowLength(row) }, (_, position) => isScoredAt(row, position)));
  return scoredRow(rows.flatMap(idsOfRow), (position) => bits[position]!);
}
