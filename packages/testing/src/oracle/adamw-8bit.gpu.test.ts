import { createHash } from "node:crypto";
import {
  adamw8bitHyper,
  adamw8bitMaps,
  adamw8bitStep,
  adamwBlockStep,
  requestDevice,
  type AdamwHyperparameters,
  type Device,
} from "@kto/tensor";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { adamw8bit, adamwF32State, freshMoments8bit, type Moments8bit } from "./adamw-8bit.js";
import { Numbers } from "../check/case.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterEach(() => device.recorder.variants.clear());
afterAll(() => device?.dispose());

const settings = { learningRate: 2e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

interface DeviceResult extends Moments8bit {
  params: Float32Array;
}

/** Steps on the device, from zero moments, on a tensor that begins at element 64 of a larger bucket; gives what is there after each. */
async function onDevice(initial: Float32Array, gradients: Float32Array[], hyper: (step: number) => Float32Array): Promise<DeviceResult[]> {
  const start = 64;
  const size = initial.length;
  const numBlocks = Math.ceil(size / 256);
  const flat = (values: Float32Array): Float32Array => {
    const padded = new Float32Array(start + Math.ceil(size / 64) * 64 + 64).fill(3);
    padded.set(values, start);
    return padded;
  };
  const made = device.scope(() => {
    const bounds = Array.from({ length: numBlocks }, (_, block) => [start + 256 * block, Math.min(256, size - 256 * block)]);
    const padded = flat(initial);
    return {
      params: device.tensor(padded, [padded.length], "f32"),
      blocks: device.tensor(bounds.flat(), [numBlocks, 2], "u32"),
      codes: device.zeros([2, numBlocks, 64], "u32"),
      absmax: device.zeros([2, numBlocks], "f32"),
      maps: adamw8bitMaps(device),
    };
  });
  const results: DeviceResult[] = [];
  for (const [index, gradient] of gradients.entries()) {
    const padded = flat(gradient);
    device.scope(() =>
      adamw8bitStep({
        ...made,
        grads: device.tensor(padded, [padded.length], "f32"),
        hyper: device.tensor(hyper(index + 1), [8], "f32"),
      }),
    );
    const codes = await device.readBytes(made.codes);
    const absmax = (await made.absmax.read()) as Float32Array<ArrayBuffer>;
    const params = (await made.params.read()) as Float32Array;
    expect([...params.subarray(0, start), ...params.subarray(start + size)].every((gap) => gap === 3)).toBe(true);
    results.push({
      params: params.slice(start, start + size),
      codes1: codes.slice(0, size),
      codes2: codes.slice(256 * numBlocks, 256 * numBlocks + size),
      absmax1: absmax.slice(0, numBlocks),
      absmax2: absmax.slice(numBlocks),
    });
  }
  for (const tensor of Object.values(made)) tensor.dispose();
  return results;
}

/** The same in IEEE 754 on the host. */
function onHost(initial: Float32Array, gradients: Float32Array[], hyper: (step: number) => Float32Array): DeviceResult[] {
  const params = initial.slice();
  const state = freshMoments8bit(params.length);
  return gradients.map((gradient, index) => {
    adamw8bit(params, gradient, state, hyper(index + 1));
    return structuredClone({ params, ...state });
  });
}

const hyperOf =
  (given: Partial<AdamwHyperparameters> = {}) =>
  (step: number): Float32Array =>
    adamw8bitHyper({ ...settings, ...given, step });

describe.each(["blockPerLane", "plain"])("adamw8bit, %s, bit for bit", (variant) => {
  it("one block, three steps", async () => {
    device.recorder.variants.set("adamw8bit", variant);
    const initial = Float32Array.from({ length: 256 }, (_, i) => ((i % 17) - 8) / 64);
    const gradient = Float32Array.from({ length: 256 }, (_, i) => (((37 * i) % 101) - 50) / 1024);
    const gradients = [1, -0.5, 0.25].map((factor) => gradient.map((value) => factor * value));
    for (const results of [await onDevice(initial, gradients, hyperOf()), onHost(initial, gradients, hyperOf())]) {
      expect(results.map(({ absmax1, absmax2 }) => [absmax1[0], absmax2[0]])).toEqual([
        [0.004882813431322575, 2.38415509556944e-6],
        [0.0019531254656612873, 2.977809799631359e-6],
        [0.0029785162769258022, 3.1238419069268275e-6],
      ]);
      expect(results.map(({ codes1 }) => sha(codes1))).toEqual(["29a56e7bdaae5bf0", "c85d4faaf23c166e", "29a56e7bdaae5bf0"]);
      expect(results.map(({ codes2 }) => sha(codes2))).toEqual(Array.from({ length: 3 }, () => "bd869e21b96d6d40"));
      expect(results.map(({ params }) => [...params.subarray(0, 4)])).toEqual([
        [-0.12479974329471588, -0.10917477309703827, -0.0939498096704483, -0.07792484015226364],
        [-0.12474706768989563, -0.10912027955055237, -0.09400459378957748, -0.07787193357944489],
        [-0.1246795728802681, -0.10905139148235321, -0.09407427161931992, -0.07780378311872482],
      ]);
    }
  });

  it("a block without gradient: codes 255 and 0, scales 0, parameters as they were", async () => {
    device.recorder.variants.set("adamw8bit", variant);
    const initial = Float32Array.from({ length: 300 }, (_, i) => i - 150);
    for (const run of [onDevice, onHost]) {
      const [result] = await run(initial, [new Float32Array(300)], hyperOf({ weightDecay: 0 }));
      expect(result!.params).toEqual(initial);
      expect([new Set(result!.codes1), new Set(result!.codes2)]).toEqual([new Set([255]), new Set([0])]);
      expect([...result!.absmax1, ...result!.absmax2]).toEqual([0, 0, 0, 0]);
    }
  });

  it("random steps: scales spread over seven decades, a short last block, gradients that are not finite, ever fewer non-zero ones", async () => {
    device.recorder.variants.set("adamw8bit", variant);
    const numbers = new Numbers(5);
    const size = 4096 + 263;
    const draw = (scale: () => number): Float32Array => Float32Array.from({ length: size }, () => numbers.normal(scale()));
    const gradients = Array.from({ length: 5 }, (_, step) =>
      draw(() => (numbers.uniform() < 0.2 * step ? 0 : 10 ** (-7 * numbers.uniform()))),
    );
    gradients[1]!.set([NaN, Infinity, -Infinity], 1000);
    gradients[2]!.fill(NaN, 512, 768);
    const initial = draw(() => 0.1);
    const expected = onHost(initial, gradients, hyperOf());
    const got = await onDevice(initial, gradients, hyperOf());
    expected.forEach((step, index) => expect(got[index]).toEqual(step));
    expect(got[2]!.params.subarray(512, 768)).toEqual(got[1]!.params.subarray(512, 768));
  });
});

describe("adamw8bit, subgroup", () => {
  it("differs from the exact one by round-off only", async () => {
    const numbers = new Numbers(6);
    const draw = (scale: number): Float32Array => Float32Array.from({ length: 2055 }, () => numbers.normal(scale));
    const [initial, gradients] = [draw(0.1), [draw(0.01)]];
    const [expected] = onHost(initial, gradients, hyperOf());
    device.recorder.variants.set("adamw8bit", "subgroup");
    const [got] = await onDevice(initial, gradients, hyperOf());
    const codesOff = [...got!.codes1, ...got!.codes2].filter(
      (code, i) => code !== (i < 2055 ? expected!.codes1[i]! : expected!.codes2[i - 2055]!),
    );
    expect(codesOff.length).toBeLessThanOrEqual(4);
    got!.params.forEach((value, i) => expect(Math.abs(value - expected!.params[i]!)).toBeLessThan(1e-7));
    got!.absmax2.forEach((value, block) => expect(Math.abs(value / expected!.absmax2[block]! - 1)).toBeLessThan(1e-6));
  });
});

describe("adamwBlocks, bit for bit", () => {
  it("four elements, two steps", async () => {
    const gradients = [
      [0.1, -0.02, 0.003, 0],
      [-0.05, -0.02, 0.004, 1e-6],
    ].map((values) => Float32Array.from(values));
    const host = { params: Float32Array.of(0.5, -0.25, 0.125, 0), m: new Float32Array(4), v: new Float32Array(4) };
    const made = device.scope(() => ({
      params: device.tensor(host.params, [4], "f32"),
      blocks: device.tensor([0, 4], [1, 2], "u32"),
      moments: device.zeros([2, 1, 256], "f32"),
    }));
    const seen: number[][] = [];
    for (const [index, gradient] of gradients.entries()) {
      const numbers = hyperOf()(index + 1);
      device.scope(() =>
        adamwBlockStep({ ...made, grads: device.tensor(gradient, [4], "f32"), hyper: device.tensor(numbers, [8], "f32") }),
      );
      adamwF32State(host.params, gradient, host, numbers);
      const moments = await made.moments.read();
      seen.push(Array.from(moments.slice(0, 4)), Array.from(moments.slice(256, 260)), [...(await made.params.read())]);
      expect(seen.slice(-3)).toEqual([[...host.m], [...host.v], [...host.params]]);
    }
    for (const tensor of Object.values(made)) tensor.dispose();
    expect(seen).toEqual([
      [0.010000002570450306, -0.0020000003278255463, 0.0003000000724568963, 0],
      [9.999871508625802e-6, 3.999948035016132e-7, 8.999884393290358e-9, 0],
      [0.499798983335495, -0.24979948997497559, 0.12479975074529648, 0],
      [0.00400000112131238, -0.0038000005297362804, 0.0006700001540593803, 1.0000002248489182e-7],
      [1.2489839718909934e-5, 7.995896567081218e-7, 2.4990679747816102e-8, 9.99987086375048e-16],
      [0.499744713306427, -0.24959897994995117, 0.12460003048181534, -0.00014675220882054418],
    ]);
  });
});
