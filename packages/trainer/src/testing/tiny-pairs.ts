import { measureRows } from "../data/lengths.js";
import type { PairRow, PreparedPairDataset } from "../index.js";

/** Pairs of which the chosen answer repeats the prompt's first token. */
export function tinyPairs(count: number): PreparedPairDataset {
  const rows = Array.from({ length: count }, (_, row): PairRow => {
    const first = 1 + ((row * 7) % 30);
    const promptIds = [first, 31 + (row % 3), ...(row % 4 === 0 ? [5, 6] : [])];
    return {
      sourceIndex: row,
      chosen: { promptIds, completionIds: [first, first, 36] },
      rejected: { promptIds, completionIds: [(first + 11) % 30, 36, ...(row % 2 ? [4] : [])] },
    };
  });
  const answers = rows.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  return {
    rows,
    dropped: [],
    format: { type: "paired", layout: "paired", conversational: false },
    unreadColumns: [],
    numIdentical: 0,
    ...measureRows(answers, 16),
    notes: [],
  };
}
