import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeyValueCache, pageSize, type CachedRow } from "./key-value-cache.js";

let device: Device;
let model: DecoderForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

const idsOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, index) => (index * 7919 + seed * 104729) % model.vocabSize);
const newRow = (): CachedRow => ({ length: 0, pages: [] });

/** Logits after each of the next tokens of rows. */
async function logitsOf(cache: KeyValueCache, rows: readonly { row: CachedRow; ids: readonly number[] }[]): Promise<Float32Array> {
  const pieces = rows.map(({ row, ids }) => ({ row, numTokens: ids.length }));
  for (const { row, numTokens } of pieces) cache.reserve(row, numTokens);
  using logits = device.scope(() =>
    device.noGrad(() => {
      const batch = model.packRows(
        rows.map(({ ids }) => ids),
        { firstPositions: rows.map(({ row }) => row.length) },
      );
      return model.logits(model.hiddenStates(batch, { attend: cache.attend(pieces) }));
    }),
  );
  for (const { row, numTokens } of pieces) row.length += numTokens;
  return (await logits.read()) as Float32Array;
}

async function wholeLogits(ids: readonly number[]): Promise<Float32Array> {
  using logits = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows([ids])))));
  return (await logits.read()) as Float32Array;
}

function largestDifference(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  return found.reduce((largest, value, index) => Math.max(largest, Math.abs(value - expected[index]!)), 0);
}

describe("a token at a time over the cache gives the logits of the whole", () => {
  it.each([1, 63, 64, 65, 1000])("after a prompt of %i tokens", async (promptLength) => {
    const ids = idsOf(promptLength + 3, promptLength);
    const whole = await wholeLogits(ids);
    using cache = new KeyValueCache(model, 1088);
    const row = newRow();
    const parts = [await logitsOf(cache, [{ row, ids: ids.slice(0, promptLength) }])];
    for (let next = promptLength; next < ids.length; next++) parts.push(await logitsOf(cache, [{ row, ids: [ids[next]!] }]));
    const found = Float32Array.from(parts.flatMap((part) => [...part]));
    expect(largestDifference(found, whole)).toBeLessThan(1e-5);
  });

  it("in pieces, in a batch with other rows, after rows gave back their pages, and after a row was cut", async () => {
    using cache = new KeyValueCache(model, 6 * pageSize);
    const [first, second, third] = [newRow(), newRow(), newRow()];
    await logitsOf(cache, [
      { row: first, ids: idsOf(pageSize + 5, 1) },
      { row: second, ids: idsOf(pageSize * 2, 2) },
    ]);
    cache.truncate(first, 0);
    expect(cache.freePages).toBe(4);
    const ids = idsOf(2 * pageSize + 9, 3);
    const whole = await wholeLogits(ids);
    const width = model.vocabSize;
    // the third row takes the pages of the first, in another order, in pieces
    const start = await logitsOf(cache, [{ row: third, ids: ids.slice(0, 50) }]);
    const middle = await logitsOf(cache, [
      { row: second, ids: idsOf(1, 4) },
      { row: third, ids: ids.slice(50, 130) },
    ]);
    cache.truncate(third, 120);
    const end = await logitsOf(cache, [{ row: third, ids: ids.slice(120) }]);
    expect(largestDifference(start, whole.slice(0, 50 * width))).toBeLessThan(1e-5);
    expect(largestDifference(middle.slice(width), whole.slice(50 * width, 130 * width))).toBeLessThan(1e-5);
    expect(largestDifference(end, whole.slice(120 * width))).toBeLessThan(1e-5);
  });
});

it("says what is full, and by which option", () => {
  using cache = new KeyValueCache(model, 100);
  const row = newRow();
  cache.reserve(row, 2 * pageSize);
  expect(cache.maxTokens).toBe(2 * pageSize);
  expect(() => cache.reserve(newRow(), 1)).toThrow(
    "generate: the cache is full; expected at most 128 tokens of all rows together; raise maxCachedTokens, or answer fewer rows together",
  );
});
