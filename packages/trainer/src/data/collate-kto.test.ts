import { expect, it } from "vitest";

import { collateKto, type KtoRow } from "./index.js";

const rows: KtoRow[] = [
  { promptIds: [1, 2], completionIds: [3, 4, 5], klCompletionIds: [8], label: true, sourceIndex: 0 },
  { promptIds: [6], completionIds: [7], klCompletionIds: [9, 9, 9, 9, 9], label: false, sourceIndex: 5 },
];

it("keeps the start, pads on the right and pads the KL rows separately", () => {
  expect(collateKto(rows, { maxLength: 4, padTokenId: 99 })).toEqual({
    batchSize: 2,
    sequenceLength: 4,
    inputIds: Uint32Array.from([1, 2, 3, 4, 6, 7, 99, 99]),
    attentionMask: Uint32Array.from([1, 1, 1, 1, 1, 1, 0, 0]),
    completionMask: Uint32Array.from([0, 0, 1, 1, 0, 1, 0, 0]),
    klSequenceLength: 4,
    klInputIds: Uint32Array.from([1, 2, 8, 99, 6, 9, 9, 9]),
    klAttentionMask: Uint32Array.from([1, 1, 1, 0, 1, 1, 1, 1]),
    klCompletionMask: Uint32Array.from([0, 0, 1, 0, 0, 1, 1, 1]),
    label: Uint32Array.from([1, 0]),
    sourceIndex: Uint32Array.from([0, 5]),
  });
});

it("pads to the longest row without maxLength, and leaves out KL arrays where there is nothing borrowed", () => {
  const batch = collateKto([{ ...rows[0]!, klCompletionIds: undefined }], { maxLength: null, padTokenId: 0 });
  expect(batch.sequenceLength).toBe(5);
  expect(batch).not.toHaveProperty("klInputIds");
});
