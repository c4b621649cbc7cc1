import { describe, expect, it } from "vitest";
import { lazyRows, type RowSequence } from "../data/row-sequence.js";
import { numScoredTokens, rowLength } from "../data/rows.js";
import { TableBuilder } from "../data/token-table.js";
import { TokensInMemory } from "../data/token-cache.js";
import { countAllTokens, packedRows, singleRows, type SftRow } from "./arrange-rows.js";
import { scoredRow } from "./documents.js";
import { packDocuments, type SftDocument } from "./pack-documents.js";

/** Documents of 0 to 40 tokens: all scored, none, from some place on, and in runs, at the start, in the middle and at the end. */
const documents: SftDocument[] = Array.from({ length: 1300 }, (_, sourceIndex) => {
  const length = (sourceIndex * 7) % 41;
  const ids = Array.from({ length }, (_id, position) => sourceIndex + position);
  const ways: ((position: number) => boolean)[] = [
    () => true,
    () => false,
    (position) => position >= 5,
    (position) => position % 9 < 3,
    (position) => position === 0,
    (position) => position > 3 && position % 11 === 10,
    (position) => position < 2 || position > 30,
  ];
  return { ...scoredRow(ids, ways[sourceIndex % 7]!), sourceIndex };
});

/** The same, as a cache gives them. */
function stored(): { documents: RowSequence<SftDocument>; numRead: () => number } {
  const builder = new TableBuilder(new TokensInMemory());
  for (const document of documents) builder.add(document, { place: document.sourceIndex, label: false });
  const table = builder.table();
  let numRead = 0;
  return {
    documents: lazyRows(
      table.length,
      (index) => (numRead++, { ...table.rowAt(index), sourceIndex: table.places[index]! }),
      (index) => ({ ...table.sketchAt(index), sourceIndex: table.places[index]! }),
    ),
    numRead: () => numRead,
  };
}

const countsOf = ({ documents: parts }: SftRow): number[][] => parts.map((part) => [rowLength(part), numScoredTokens(part)]);

const sketchesOfAll = (rows: RowSequence<SftRow>): SftRow[] => rows.map((_row, index) => rows.sketchAt!(index));

describe("rows of documents that are read when they are asked for", () => {
  it.each([16, 40, null])("have sketches as long and with as many scored tokens, cut to %s", (maxLength) => {
    const rows = singleRows(stored().documents, maxLength);
    expect(sketchesOfAll(rows).map(countsOf)).toEqual(rows.map((row) => countsOf(row)));
  });

  it.each(["bfd", "bfd_split", "wrapped"] as const)("are packed by their lengths as they are in memory: %s", (strategy) => {
    const rows = packedRows(stored().documents, 24, strategy);
    const expected = packDocuments(documents, 24, strategy).filter((row) => row.documents.some((part) => numScoredTokens(part) > 0));
    expect(rows.map(({ documents: parts, packedFrom }) => ({ documents: parts, packedFrom }))).toEqual(expected);
    const told = (row: SftRow): unknown => [countsOf(row), row.sourceIndex, row.packedFrom];
    expect(sketchesOfAll(rows).map(told)).toEqual(rows.map(told));
    const whole = [...rows].flatMap(countsOf);
    const total = whole.reduce((sum, [length]) => sum + length!, 0);
    const scored = whole.reduce((sum, [, count]) => sum + count!, 0);
    expect(countAllTokens(rows)).toEqual({ total, scored });
  });

  it("are planned without reading one that is not cut", () => {
    const { documents: read, numRead } = stored();
    countAllTokens(packedRows(read, 64, "bfd"));
    expect(numRead()).toBe(0);
  });
});
