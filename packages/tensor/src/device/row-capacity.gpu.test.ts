import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  add,
  backward,
  checkpoint,
  full,
  gatherRows,
  linear,
  linearLogProbs,
  mul,
  requestDevice,
  rmsNorm,
  segmentSum,
  sigmoid,
  sum,
  swiGlu,
  type Device,
  type Tensor,
} from "../index.js";

let device: Device;
let weight: Tensor;
let norm: Tensor;
beforeAll(async () => {
  device = await requestDevice();
  weight = device.tensor(
    Float32Array.from({ length: 16 * 16 }, (_, i) => Math.sin(i)),
    [16, 16],
    "f32",
  );
  weight.requiresGrad = true;
  norm = full(device, [16], 1, "f32");
});
afterAll(() => {
  weight.dispose();
  norm.dispose();
  device.dispose();
});

/** Loss and gradient of a batch of so many rows, of which every third is scored, with room for `capacity` rows where it is given. */
async function step(rows: number, capacity?: number): Promise<number[]> {
  const result = device.scope(() => {
    const x = device.tensor(
      Float32Array.from({ length: rows * 16 }, (_, i) => Math.cos(i)),
      [rows, 16],
      "f32",
      "x",
      capacity,
    );
    const scored = Uint32Array.from({ length: Math.ceil(rows / 3) }, (_, i) => 3 * i);
    const vector = (values: ArrayLike<number>, room?: number): Tensor => device.tensor(values, [values.length], "u32", "vector", room);
    const scoredCapacity = capacity && capacity / 3;
    const labels = vector(new Uint32Array(scored.length).fill(3), scoredCapacity);
    const hidden = linear(x, weight);
    const block = (input: Tensor): Tensor => rmsNorm(swiGlu(add(mul(input, input), input), sigmoid(input)), norm, { eps: 1e-6 });
    const rowsOfInterest = gatherRows(checkpoint(block, hidden), vector(scored, scoredCapacity));
    const { logProbs } = linearLogProbs(rowsOfInterest, weight, labels);
    const loss = sum(segmentSum(logProbs, vector([0, 1, scored.length])));
    const gradients = backward(loss);
    return [loss.detach(), gradients.take(weight)!];
  });
  const values = await Promise.all(result.map((tensor) => tensor.read()));
  for (const tensor of result) tensor.dispose();
  return values.flatMap((numbers) => [...numbers]);
}

it("batches of all lengths use the buffers of the longest, and give the same numbers", async () => {
  const expected = new Map<number, number[]>();
  for (const rows of [300, 7, 120, 299, 1]) expected.set(rows, await step(rows));
  await device.memory.trim();
  let created = 0;
  for (const [rows, values] of expected) {
    const before = device.memory.info().peakInUseBytes;
    expect(await step(rows, 300)).toEqual(values);
    if (rows === 300) created = device.memory.info().numBuffersMade;
    else expect(device.memory.info().peakInUseBytes).toBe(before);
  }
  expect(device.memory.info().numBuffersMade - created).toBe(2 * 4); // staging of what was read, twice a step
});

describe("the capacity of rows", () => {
  const bytesOf = (tensor: Tensor): number => tensor.storage.byteLength;

  it("is inherited by results that have those rows, and by no others", async () => {
    await device.memory.trim(); // no free buffer that is a little larger
    device.scope(() => {
      const x = device.empty([64, 2], "f32", "x", 1024);
      expect(x.shape).toEqual([64, 2]);
      expect(x.byteLength).toBe(512);
      expect(bytesOf(x)).toBe(4 * 1024 * 2);
      expect(bytesOf(device.rowsLike(x, [64], "f32"))).toBe(4096);
      expect(bytesOf(device.rowsLike(x, [2, 64], "f32"))).toBe(512);
      expect(bytesOf(device.rowsLike(x, [], "f32"))).toBe(256);
      expect(device.viewOf(x, [64, 2], 0, "view").rowCapacity).toBe(1024);
      expect(device.viewOf(x, [128], 0, "view").rowCapacity).toBeUndefined();
      expect(device.copyOf(x).rowCapacity).toBe(1024);
      expect(linear(x, device.zeros([64, 2], "f32")).rowCapacity).toBe(1024);
    });
  });

  it("of a matrix that happens to have as many rows stays its own", () => {
    device.scope(() => {
      const x = device.empty([64, 64], "f32", "x", 1024);
      const w = full(device, [64, 64], 0.5, "f32");
      w.requiresGrad = true;
      const gradients = backward(sum(linear(x, w)));
      expect(gradients.take(w)!.rowCapacity).toBeUndefined();
    });
  });

  it("is never less than is needed, and nothing without rows", () => {
    device.scope(() => {
      expect(bytesOf(device.empty([64, 2], "f32", "x", 3))).toBe(512);
      expect(bytesOf(device.empty([0, 64], "f32", "x", 1024))).toBe(256);
    });
  });
});
