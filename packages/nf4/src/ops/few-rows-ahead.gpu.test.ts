import {
  lowRankAhead,
  requestDevice,
  type Device,
  type FewRowsInput,
  type LinearAdapter,
  type LowRankAhead,
  type Tensor,
} from "@kto/tensor";
import { expectSmallError, gemmTolerance } from "@kto/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { Linear4bit } from "../index.js";
import { layersOf, type Layers } from "../testing/layers-together.js";
import { randomNumbers } from "../testing/weights.js";

let device: Device;
const owned: { dispose(): void }[] = [];
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
beforeEach(() => device.recorder.variants.set("nf4FewRows", device.capabilities.software ? "serial" : "plain"));
afterEach(() => {
  device.recorder.variants.clear();
  for (const each of owned.splice(0)) each.dispose();
});

/** Layers of one input, each with an update of this rank; 0 for none. */
async function adaptedLayers(k: number, sizes: number[], ranks: number[]): Promise<Linear4bit[]> {
  const layers: Layers = await layersOf(device, k, sizes, "bfloat16", true);
  const rows = ranks.reduce((sum, rank) => sum + rank, 0);
  const all = device.tensor(randomNumbers(rows * k, rows), [rows, k], "f32");
  const updates = sizes.map((size, index) => size * ranks[index]!);
  const bs = device.tensor(
    randomNumbers(
      updates.reduce((sum, each) => sum + each, 0),
      5,
    ),
    [updates.reduce((sum, each) => sum + each, 0)],
    "f32",
  );
  owned.push(layers, all, bs);
  let [row, bStart] = [0, 0];
  for (const [index, module] of layers.modules.entries()) {
    const rank = ranks[index]!;
    if (rank === 0) continue;
    const a = device.unscoped(() => device.viewOf(all, [rank, k], 4 * row * k, "a"));
    const b = device.unscoped(() => device.viewOf(bs, [sizes[index]!, rank], 4 * bStart, "b"));
    owned.push(a, b);
    module.adapter = { isActive: true, delta: { a, b, scale: 0.1 }, apply: (base) => base } satisfies LinearAdapter;
    row += rank;
    bStart += updates[index]!;
  }
  return layers.modules;
}

it.each([
  [1, false],
  [2, true],
] as const)("what four-bit layers multiply %i rows with first is made along with these rows, gate and up: %s", async (m, swiGlu) => {
  const [k, n] = [64, 128];
  const [first] = await adaptedLayers(k, [n], [16]);
  const [next, ...others] = await adaptedLayers(n, [64, 64], [4, swiGlu ? 8 : 0]);
  using x = device.tensor(randomNumbers(m * k, 3), [m, k], "f32");
  using norm = device.tensor(randomNumbers(n, 4), [n], "f32");
  const answer = async (ahead: LowRankAhead | undefined): Promise<{ values: ArrayLike<number>; launches: number }> => {
    const before = device.recorder.numDispatches;
    using y = device.unscoped(() =>
      device.scope((): Tensor => {
        const made = first!.together([], { x, onward: ahead, dtype: "f32" })!;
        const input: FewRowsInput = { x: made, norm: { weight: norm, eps: 1e-6 }, swiGlu, ahead, dtype: "f32" };
        return next!.together(others, input)!;
      }),
    );
    return { values: await y.read(), launches: device.recorder.numDispatches - before };
  };
  const apart = await answer(undefined);
  const along = await answer(lowRankAhead([next!, ...others], norm));
  expectSmallError(along.values, Array.from(apart.values), { limit: gemmTolerance.f32, label: "y" });
  expect([apart.launches, along.launches]).toEqual([4, 3]);
});
