import { expect, it } from "vitest";
import { Dataset } from "./dataset.js";
import { interleaveDatasets } from "./interleave.js";
import { Pcg64 } from "./pcg64.js";

// Numbers of numpy 2.4: default_rng(seed).random(4), and choice(3, size=12, p=[0.5, 0.3, 0.2]).
it.each([
  [42, [0.7739560485559633, 0.4388784397520523, 0.8585979199113825, 0.6973680290593639]],
  [0, [0.6369616873214543, 0.2697867137638703, 0.04097352393619469, 0.016527635528529094]],
  [2 ** 40 + 5, [0.004739459374490829, 0.3725845824112115, 0.5872294266977701, 0.15139964872492384]],
])("draws numpy's numbers from seed %i", (seed, numbers) => {
  const generator = new Pcg64(seed);
  expect(numbers.map(() => generator.nextDouble())).toEqual(numbers);
});

const part = (name: string, length: number): Dataset<{ name: string; row: number }> =>
  Dataset.from(Array.from({ length }, (_, row) => ({ name, row })));
const parts = [part("a", 7), part("b", 5), part("c", 4)];

it("takes the parts in the order that numpy draws them in, each from its beginning, until one is through", () => {
  const mixed = interleaveDatasets(parts, { probabilities: [5, 3, 2], seed: 42 }).toArray();
  const drawn = [1, 0, 2, 1, 0, 2, 1, 1, 0, 0, 0, 2]; // the fifth of b would come next, or the fourth of c
  const names = mixed.map(({ name }) => "abc".indexOf(name));
  expect(names.slice(0, 12)).toEqual(drawn);
  for (const name of "abc") {
    const rows = mixed.filter((row) => row.name === name).map(({ row }) => row);
    expect(rows).toEqual(Array.from(rows.keys()));
  }
  const last = mixed.at(-1)!;
  expect(last.row).toBe({ a: 6, b: 4, c: 3 }[last.name]);
  expect(new Set(mixed.map(({ name, row }) => `${name}${row}`)).size).toBe(mixed.length);
});

it("goes on until all are through where that is asked for", () => {
  const mixed = interleaveDatasets(parts, { probabilities: [8, 1, 1], stoppingStrategy: "all_exhausted" }).toArray();
  expect(new Set(mixed.map(({ name, row }) => `${name}${row}`)).size).toBe(16);
  expect(mixed.length).toBeGreaterThan(16);
});

it("refuses probabilities that do not fit", () => {
  expect(() => interleaveDatasets(parts, { probabilities: [1, 1] })).toThrow(/expected 3 numbers above 0.*got \[1,1\]/);
  expect(() => interleaveDatasets(parts, { probabilities: [1, 1, 0] })).toThrow(/above 0/);
  expect(() => interleaveDatasets([part("a", 1), part("b", 0)], { probabilities: [1, 1] })).toThrow(/no rows/);
});
