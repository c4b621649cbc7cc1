import { afterAll, beforeAll, expect, it } from "vitest";
import { add, backward, linear, linearLogProbs, mul, requestDevice, sum, type Device, type Tensor } from "../index.js";

let device: Device;
let weight: Tensor;
beforeAll(async () => {
  device = await requestDevice();
  weight = device.tensor(
    Float32Array.from({ length: 16 * 16 }, (_, i) => Math.sin(i)),
    [16, 16],
    "f32",
  );
  weight.requiresGrad = true;
});
afterAll(() => {
  weight.dispose();
  device.dispose();
});

/** Loss and gradient of a batch of so many rows. */
async function step(rows: number): Promise<number[]> {
  const result = device.scope(() => {
    const x = device.tensor(
      Float32Array.from({ length: rows * 16 }, (_, i) => Math.cos(i)),
      [rows, 16],
      "f32",
    );
    const labels = device.tensor(new Uint32Array(rows).fill(3), [rows], "u32");
    const hidden = linear(x, weight);
    const loss = sum(linearLogProbs(add(mul(hidden, hidden), hidden), weight, labels).logProbs);
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
  await device.trim();
  let created = 0;
  for (const [rows, values] of expected) {
    const before = device.memory().peakInUseBytes;
    expect(await device.withRowCapacity(new Map([[rows, 300]]), async () => step(rows))).toEqual(values);
    if (rows === 300) created = device.pool.numCreated;
    else expect(device.memory().peakInUseBytes).toBe(before);
  }
  expect(device.pool.numCreated - created).toBe(2 * 4); // staging of what was read, twice a step
});

it("counts for first dimensions only, inside its body only, and is never less than is needed", async () => {
  await device.trim();
  const bytesOf = (shape: number[]): number => {
    device.pool.trim();
    using tensor = device.empty(shape, "f32");
    expect(tensor.shape).toEqual(shape);
    expect(tensor.byteLength).toBe(4 * shape.reduce((a, b) => a * b, 1));
    return tensor.storage.byteLength;
  };
  device.withRowCapacity(new Map([[64, 1024]]), () => {
    expect(bytesOf([64, 2])).toBe(4 * 1024 * 2);
    expect(bytesOf([2, 64])).toBe(512);
    expect(bytesOf([64])).toBe(4096);
    using matrix = device.emptyMatrix([64, 2], "f32", "weight");
    expect(matrix.storage.byteLength).toBe(512);
    expect(bytesOf([])).toBe(256);
    expect(bytesOf([0, 64])).toBe(256);
    device.withRowCapacity(new Map([[1024, 64]]), () => {
      expect(bytesOf([64, 2])).toBe(512);
      expect(bytesOf([1024])).toBe(4096);
    });
    expect(device.rowCapacity(64)).toBe(1024);
    expect(device.rowCapacity(65)).toBe(65);
  });
  expect(bytesOf([64, 2])).toBe(512);
});
