import { afterAll, beforeAll, expect, it } from "vitest";
import { checksum, requestDevice, type Device, type Tensor } from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

/** The sums of some tensors, as text. */
async function sumsOf(make: () => readonly Tensor[]): Promise<string> {
  using sums = device.scope(() => checksum(device, make()));
  return (await sums.read()).join();
}

it("tells contents, order and lengths apart", async () => {
  const ones = (count: number): Tensor => device.tensor(new Float32Array(count).fill(1), [count], "f32");
  const found = [
    await sumsOf(() => []),
    await sumsOf(() => [ones(3)]),
    await sumsOf(() => [device.zeros([3], "f32")]),
    await sumsOf(() => [ones(3), device.zeros([3], "f32")]),
    await sumsOf(() => [device.zeros([3], "f32"), ones(3)]),
    await sumsOf(() => [ones(40_000)]),
    await sumsOf(() => [
      device.tensor(
        Float32Array.from({ length: 40_000 }, (_, i) => (i === 39_999 ? 1.0000001 : 1)),
        [40_000],
        "f32",
      ),
    ]),
  ];
  expect(new Set(found).size).toBe(found.length);
});

it("does not see what lies past the end of a tensor", async () => {
  const padded = (rest: number): Tensor => {
    const whole = device.tensor([1, 2, 3, rest], [4], "f16");
    return device.viewOf(whole, [3], 0, "three halves");
  };
  expect(await sumsOf(() => [padded(7)])).toBe(await sumsOf(() => [padded(8)]));
  expect(await sumsOf(() => [padded(7)])).not.toBe(await sumsOf(() => [device.tensor([1, 2, 4], [3], "f16")]));
});
