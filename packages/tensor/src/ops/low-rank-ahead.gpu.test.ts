import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import {
  fewRowsLinear,
  Linear,
  lowRankAhead,
  requestDevice,
  type Device,
  type LinearAdapter,
  type LowRankAhead,
  type Tensor,
} from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
beforeEach(() => device.recorder.variants.set("fewRows", "serial"));
afterEach(() => device.recorder.variants.clear());

const [k, n, rank] = [64, 64, 4];

/** Two layers in turn, the second with an update; launches, and what they give. */
async function chain(body: (layers: { first: Tensor; second: Tensor; a: Tensor; b: Tensor; x: Tensor }) => Tensor): Promise<{
  launches: number;
  values: number[];
}> {
  const matrix = (rows: number, seed: number): Tensor =>
    device.tensor(
      Float32Array.from({ length: rows * k }, (_, i) => Math.sin(i * seed)),
      [rows, k],
      "f32",
    );
  const before = device.recorder.numDispatches;
  const b = (): Tensor =>
    device.tensor(
      Float32Array.from({ length: n * rank }, (_, i) => Math.cos(i)),
      [n, rank],
      "f32",
    );
  using y = device.unscoped(() =>
    device.scope(() => body({ first: matrix(n, 1), second: matrix(n, 2), a: matrix(rank, 3), b: b(), x: matrix(1, 5) })),
  );
  return { launches: device.recorder.numDispatches - before, values: Array.from(await y.read()) };
}

const runWith = (
  made: (a: Tensor) => LowRankAhead,
  taken: (made: LowRankAhead) => LowRankAhead = (ahead) => ahead,
): ReturnType<typeof chain> =>
  chain(({ first, second, a, b, x }) => {
    const onward = made(a);
    const between = fewRowsLinear([{ weight: first }], { x, dtype: "f32", onward })!;
    return fewRowsLinear([{ weight: second, lowRank: { a, b, scale: 0.5 } }], { x: between, dtype: "f32", ahead: taken(onward) })!;
  });

const of = (a: Tensor): LowRankAhead => ({ a: [a], norm: undefined, parts: undefined });

it("saves the launch of the product with a, unless it was of another a, or the device takes too few buffers in a launch", async () => {
  const along = await runWith(of);
  const apart = await runWith(of, (made) => ({ ...made, parts: undefined }));
  const ofOther = await runWith(of, ({ parts, norm }) => ({ a: [], norm, parts }));
  const { capabilities } = device;
  Object.assign(device, { capabilities: { ...capabilities, maxStorageBuffers: 4 } });
  const onSmall = await runWith(of);
  Object.assign(device, { capabilities });
  expect([along, apart, ofOther, onSmall].map(({ launches }) => launches)).toEqual([2, 3, 3, 3]);
  for (const [i, value] of along.values.entries()) expect(Math.abs(value - apart.values[i]!)).toBeLessThan(1e-3);
  expect(ofOther.values).toEqual(apart.values);
  expect(onSmall.values).toEqual(apart.values);
});

it("throws ShapeError for layers that take rows of another size", async () => {
  const wide = (a: Tensor): LowRankAhead => of(device.viewOf(a, [rank / 2, 2 * k], 0, "a"));
  await expect(runWith(wide)).rejects.toThrow(
    "fewRowsLinear: expected each a of the layers that follow [rank, 64], in one buffer; got [2, 128]",
  );
});

it("is of layers whose updates are one matrix of low rank each, in one buffer", () => {
  device.scope(() => {
    const a = device.zeros([8, k], "f32");
    const b = device.zeros([n, 4], "f32");
    const layer = (adapter?: Partial<LinearAdapter>): Linear => {
      const linear = new Linear(b);
      linear.adapter = adapter && { isActive: true, apply: (base) => base, ...adapter };
      return linear;
    };
    const part = (rows: number): Partial<LinearAdapter> => ({ delta: { a: device.viewOf(a, [rows, k], 0, "a"), b, scale: 1 } });
    expect(lowRankAhead([layer(), layer(part(4))])).toMatchObject({ a: [{ shape: [4, k] }], norm: undefined, parts: undefined });
    expect(lowRankAhead([layer(part(4)), layer(part(8))], b)).toMatchObject({ a: [{ shape: [4, k] }, { shape: [8, k] }], norm: b });
    expect(lowRankAhead([layer()])).toBeUndefined();
    expect(lowRankAhead([layer({ isActive: false })])).toBeUndefined();
    expect(lowRankAhead([layer(part(4)), layer({})])).toBeUndefined(); // several adapters, or one that drops inputs
    expect(lowRankAhead([layer(part(3))])).toBeUndefined();
    expect(lowRankAhead([layer(part(4)), layer({ delta: { a: device.zeros([4, k], "f32"), b, scale: 1 } })])).toBeUndefined();
  });
});
