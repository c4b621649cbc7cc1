import type { Device } from "@kto/tensor";
import { describe, expect, it } from "vitest";
import { weightBuckets, weightsIn } from "./weight-buckets.js";
import type { WeightSpec } from "./weight-specs.js";

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** What buckets ask of a device, with room for so many bytes in a binding and a buffer. */
function deviceWith(maxBindingBytes: number, maxBufferBytes = Infinity): { device: Device; numLive: () => number } {
  let numLive = 0;
  const made = (shape: readonly number[], at: number): object => {
    numLive++;
    return { shape, size: sizeOf(shape), byteLength: 4 * sizeOf(shape), at, dispose: () => numLive-- };
  };
  const device = {
    capabilities: { maxBindingBytes, maxBufferBytes },
    unscoped: (body: () => unknown) => body(),
    zeros: (shape: number[]) => {
      if (4 * sizeOf(shape) > maxBufferBytes) throw new Error("too large");
      return made(shape, 0);
    },
    viewOf: (_flat: object, shape: number[], at: number) => made(shape, at),
  };
  return { device: device as unknown as Device, numLive: () => numLive };
}

const specs: WeightSpec[] = [
  { name: "embedding", shape: [10, 64], kind: "matrix", isEmbedding: true },
  ...[0, 1, 2, 3, 4].flatMap((layer): WeightSpec[] => [
    { name: `${layer}.matrix`, shape: [3, 33], kind: "matrix" }, // 99 elements, 128 with the gap
    { name: `${layer}.norm`, shape: [33], kind: "norm" },
    { name: `${layer}.bias`, shape: [64], kind: "bias" },
  ]),
  { name: "large", shape: [40, 64], kind: "matrix" },
  { name: "last", shape: [64], kind: "matrix" },
];
const bucketsOf = (bytes: number, bufferBytes?: number): { names: string[]; byteLength: number; decays: boolean; isEmbedding: boolean }[] =>
  weightBuckets(deviceWith(bytes, bufferBytes).device, specs).map(({ flat, parameters, decays, isEmbedding }) => ({
    names: [...parameters.keys()],
    byteLength: flat.byteLength,
    decays,
    isEmbedding,
  }));

describe("weights in buckets", () => {
  it("are one of each kind where a device can bind them", () => {
    const buckets = bucketsOf(2 ** 20);
    expect(buckets.map(({ names, ...treatment }) => ({ count: names.length, ...treatment }))).toEqual([
      { count: 1, byteLength: 4 * 640, decays: true, isEmbedding: true },
      { count: 7, byteLength: 4 * (5 * 128 + 2560 + 64), decays: true, isEmbedding: false },
      { count: 10, byteLength: 4 * 10 * 64, decays: false, isEmbedding: false },
    ]);
  });

  it.each([
    ["a binding", 4 * 256, undefined],
    ["a buffer", Infinity, 4 * 2560],
  ])("are parted where %s would be too large, gaps and all, each weight once", (_what, bindingBytes, bufferBytes) => {
    const buckets = bucketsOf(bindingBytes, bufferBytes);
    const room = Math.min(bindingBytes, bufferBytes ?? Infinity);
    for (const { names, byteLength } of buckets) if (names.length > 1) expect(byteLength).toBeLessThanOrEqual(room);
    expect(buckets.flatMap(({ names }) => names).sort()).toEqual(specs.map(({ name }) => name).sort());
    for (const { names, decays, isEmbedding } of buckets)
      for (const name of names) {
        const { kind, isEmbedding: isOfEmbedding = false } = specs.find((spec) => spec.name === name)!;
        expect([decays, isEmbedding]).toEqual([kind === "matrix", isOfEmbedding]);
      }
  });

  it("fill a binding to its last element, and leave a larger weight to itself", () => {
    expect(bucketsOf(4 * 256).map(({ names }) => names)).toEqual([
      ["embedding"],
      ["0.matrix", "1.matrix"],
      ["2.matrix", "3.matrix"],
      ["4.matrix"],
      ["large"],
      ["last"],
      ["0.norm", "0.bias", "1.norm", "1.bias"],
      ["2.norm", "2.bias", "3.norm", "3.bias"],
      ["4.norm", "4.bias"],
    ]);
    expect(bucketsOf(4 * 255)[1]!.names).toEqual(["0.matrix"]);
  });

  it("lie behind each other, and leave nothing where one cannot be made", () => {
    const { device } = deviceWith(4 * 256);
    const weights = weightsIn(weightBuckets(device, specs)) as unknown as Map<string, { at: number }>;
    expect([weights.get("0.matrix")!.at, weights.get("1.matrix")!.at, weights.get("2.matrix")!.at]).toEqual([0, 4 * 128, 0]);
    const { device: small, numLive } = deviceWith(2 ** 20, 4 * 1000);
    expect(() => weightBuckets(small, specs)).toThrow("too large");
    expect(numLive()).toBe(0);
  });
});
