import { ParameterBucket, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { meetingPlace } from "../testing/meeting-place.js";
import { alone } from "./collective.js";
import { GradientSums } from "./gradient-sums.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const sizes = [4 * 2 ** 20 + 3, 7]; // more pieces than are read ahead, and a bucket of less than one

test("three ranks end with the same sums, added in their order", async () => {
  const valueOf = (rank: number, index: number): number => Math.fround(((index * 7919) % 1013) * [1, 1e-4, 3e5][rank]!);
  const { ranks, calls } = meetingPlace(3);
  const sums = await Promise.all(
    ranks.map(async (collective) => {
      using first = bucketOf(sizes[0]!, (index) => valueOf(collective.rank, index));
      using second = bucketOf(sizes[1]!, (index) => valueOf(collective.rank, index));
      using own = new GradientSums(device, collective);
      await own.sum([first, second]);
      return [await first.flat.read(), await second.flat.read()];
    }),
  );
  expect(calls).toEqual({ sums: 6, gathers: 0 });
  for (const ofRank of sums.slice(1)) ofRank.forEach((values, bucket) => expect(differing(values, sums[0]![bucket]!)).toBe(0));
  sums[0]!.forEach((values, bucket) => {
    const expected = new Float32Array(values.length); // the gap behind a parameter stays 0
    for (let index = 0; index < sizes[bucket]!; index++)
      expected[index] = Math.fround(Math.fround(valueOf(0, index) + valueOf(1, index)) + valueOf(2, index));
    expect(differing(values, expected)).toBe(0);
  });
});

test("one rank reads nothing back", async () => {
  using bucket = bucketOf(64, (index) => index);
  using own = new GradientSums(device, alone);
  const reader = vi.spyOn(device, "reader");
  await own.sum([bucket]);
  expect(reader).not.toHaveBeenCalled();
  reader.mockRestore();
});

test("what a sum throws is thrown once, and nothing is left", async () => {
  const before = device.memory.info().allocatedBytes;
  {
    using bucket = bucketOf(sizes[0]!, () => 1);
    using own = new GradientSums(device, { ...alone, size: 2, sum: () => Promise.reject(new Error("rank 1 is gone")) });
    await expect(own.sum([bucket])).rejects.toThrow("rank 1 is gone");
  }
  await device.sync();
  await device.memory.trim();
  expect(device.memory.info().allocatedBytes).toBeLessThanOrEqual(before);
});

function bucketOf(size: number, valueOf: (index: number) => number): ParameterBucket {
  const bucket = new ParameterBucket(device, [{ name: "weight", shape: [size] }]);
  device.writeBytes(bucket.flat, new Uint8Array(Float32Array.from({ length: size }, (_, index) => valueOf(index)).buffer));
  return bucket;
}

function differing(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let count = left.length === right.length ? 0 : 1;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) count++;
  return count;
}
