import { getPeftModel } from "@kto/lora";
import { backward, mean, ParameterBucket, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { meetingPlace } from "../testing/meeting-place.js";
import { tinyModel } from "../testing/tiny-model.js";
import { alone, type Collective } from "./collective.js";
import { GradientSums } from "./gradient-sums.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const sizes = [2 * 2 ** 20 + 3, 7]; // several pieces, and a bucket of less than one

test("three ranks end with the same sums, added in their order", async () => {
  const valueOf = (rank: number, index: number): number => Math.fround(((index * 7919) % 1013) * [1, 1e-4, 3e5][rank]!);
  const { ranks, calls } = meetingPlace(3);
  const sums = await Promise.all(
    ranks.map(async (collective) => {
      using first = bucketOf(sizes[0]!, (index) => valueOf(collective.rank, index));
      using second = bucketOf(sizes[1]!, (index) => valueOf(collective.rank, index));
      const gradients = [first, second];
      using own = new GradientSums(device, collective, { parameters: gradients, gradients });
      await own.sum();
      return [await first.flat.read(), await second.flat.read()];
    }),
  );
  expect(calls).toEqual({ sums: 4, gathers: 0 });
  for (const ofRank of sums.slice(1)) ofRank.forEach((values, bucket) => expect(differing(values, sums[0]![bucket]!)).toBe(0));
  sums[0]!.forEach((values, bucket) => {
    const expected = new Float32Array(values.length); // the gap behind a parameter stays 0
    for (let index = 0; index < sizes[bucket]!; index++)
      expected[index] = Math.fround(Math.fround(valueOf(0, index) + valueOf(1, index)) + valueOf(2, index));
    expect(differing(values, expected)).toBe(0);
  });
});

test("what a backward pass has done with is copied while it goes on, whatever passes there are, and is what is there at the end", async () => {
  using base = tinyModel(device);
  using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  const { bucket } = model.activeAdapter;
  using gradients = bucket.like("gradients");
  const heard: Float32Array[] = [];
  const twoOf: Collective = { ...alone, size: 2, sum: async (values) => void heard.push(values.slice()) };
  const pieceSize = 256;
  using sums = new GradientSums(device, twoOf, { parameters: [bucket], gradients: [gradients] }, pieceSize);
  bucket.requiresGrad = true;
  const pass = (rows: number[][], isLast: boolean): void => {
    const sink = gradients.sink(bucket);
    device.scope(() => {
      const hidden = base.hiddenStates(base.packRows(rows));
      backward(mean(hidden), { sink: isLast ? sums.watch(sink) : sink }).dispose();
    });
  };
  for (const rows of [
    [[1, 2, 3]],
    [
      [4, 5],
      [6, 7, 8, 9],
    ],
  ]) {
    gradients.clear();
    pass([[9, 8, 7]], false);
    for (const row of rows) pass([row], true);
    const expected = (await gradients.flat.read()) as Float32Array;
    heard.splice(0);
    await sums.sum();
    const numPieces = Math.ceil(expected.length / pieceSize);
    expect(heard).toHaveLength(numPieces);
    expect(sums.numCopiedEarly).toBeGreaterThan(numPieces - 6); // but those of the first layer, which the pass ends with
    const found = heard.reverse().flatMap((piece) => Array.from(piece));
    expect(differing(found, expected)).toBe(0);
    expect(expected.some((value) => value !== 0)).toBe(true);
  }
  gradients.clear(); // an update without a backward pass: nothing was copied before
  heard.splice(0);
  await sums.sum();
  expect(sums.numCopiedEarly).toBe(0);
  expect(heard.every((piece) => piece.every((value) => value === 0))).toBe(true);
});

test("an op that asks for the sums of several parameters before it adds to any has them copied when it has", async () => {
  const shapes = ["q", "k"].map((name) => ({ name, shape: [64] }));
  using parameters = new ParameterBucket(device, shapes);
  using gradients = parameters.like("gradients");
  const heard: Float32Array[] = [];
  const twoOf: Collective = { ...alone, size: 2, sum: async (values) => void heard.push(values.slice()) };
  using sums = new GradientSums(device, twoOf, { parameters: [parameters], gradients: [gradients] }, 64);
  const sink = sums.watch(gradients.sink(parameters));
  for (const leaf of parameters.parameters.values()) sink.sumOf!(leaf);
  device.writeBytes(gradients.flat, new Uint8Array(new Float32Array(128).fill(3).buffer)); // what the op adds
  sink.recorded!();
  await sums.sum();
  expect(sums.numCopiedEarly).toBe(2);
  expect(heard.map((piece) => [...new Set(piece)])).toEqual([[3], [3]]);
});

test("one rank reads nothing back, and its backward passes go where they went", () => {
  using bucket = bucketOf(64, (index) => index);
  const reader = vi.spyOn(device, "reader");
  using own = new GradientSums(device, alone, { parameters: [bucket], gradients: [bucket] });
  const sink = bucket.sink(bucket);
  expect(own.watch(sink)).toBe(sink);
  expect(reader).not.toHaveBeenCalled();
  reader.mockRestore();
});

test("what a sum throws is thrown once, and nothing is left", async () => {
  await device.memory.trim();
  const before = device.memory.info().allocatedBytes;
  {
    using bucket = bucketOf(sizes[0]!, () => 1);
    const failing: Collective = { ...alone, size: 2, sum: () => Promise.reject(new Error("rank 1 is gone")) };
    using own = new GradientSums(device, failing, { parameters: [bucket], gradients: [bucket] });
    await expect(own.sum()).rejects.toThrow("rank 1 is gone");
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
