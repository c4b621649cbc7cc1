import { CapabilityError, DtypeError } from "@kto/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  adamwHyper,
  adamwHyperSize,
  adamwStep,
  backward,
  clipFactor,
  DeviceLostError,
  full,
  gradNorm,
  linearLogProbs,
  mean,
  mul,
  requestDevice,
  rmsNorm,
  scale,
  ShapeError,
  sum,
  type Device,
} from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

describe("tensors", () => {
  it("carry every dtype to the device and back", async () => {
    const f32 = [0, -0, 1.5, 3.4e38, -1e-30, Infinity];
    const read = async (data: number[], dtype: "f32" | "f16" | "u32" | "i32"): Promise<number[]> => {
      using tensor = device.tensor(data, [data.length], dtype);
      return [...(await tensor.read())];
    };
    expect(await read(f32, "f32")).toEqual(f32.map(Math.fround));
    expect(await read([0, 4_294_967_295], "u32")).toEqual([0, 4_294_967_295]);
    expect(await read([-2_147_483_648, 7], "i32")).toEqual([-2_147_483_648, 7]);
    expect(await read([1, -0.333251953125, 65_504], "f16")).toEqual([1, -0.333251953125, 65_504]); // three elements: six bytes
    expect(await read([], "f32")).toEqual([]);
  });

  it("say what does not fit", async () => {
    expect(() => device.tensor([1, 2], [3], "f32", "bias")).toThrow("tensor: bias: expected 3 numbers for shape [3], got 2");
    expect(() => device.tensor([0, 1e5], [2], "f16", "weight")).toThrow(DtypeError);
    expect(() => device.tensor([0, 1e5], [2], "f16", "weight")).toThrow(
      "tensor: weight: element 1 does not fit f16; expected at most 65504 in magnitude, got 100000; use dtype f32",
    );
    using two = device.zeros([2], "f32");
    await expect(two.item()).rejects.toThrow(ShapeError);
    expect(() => device.writeBytes(two, new Uint8Array(12))).toThrow(ShapeError);
  });

  it("are read together", async () => {
    using a = full(device, [3], 2, "f32");
    using b = full(device, [2, 2], 5, "f32");
    expect((await device.readAll([a, b])).map((values) => [...values])).toEqual([
      [2, 2, 2],
      [5, 5, 5, 5],
    ]);
    expect(await device.readAll([])).toEqual([]);
  });

  it("more dispatches than one submit holds keep their order and their parameters", async () => {
    using x = device.scope(() => {
      let value = full(device, [1], 0, "f32");
      for (let i = 1; i <= 700; i++) value = device.scope(() => sum(mul(value, full(device, [1], i % 7 === 0 ? 1.5 : 1, "f32"))));
      return value;
    });
    expect(await x.item()).toBe(0);
    using y = device.scope(() => {
      let value = full(device, [1], 1, "f32");
      for (let i = 0; i < 600; i++) value = scale(value, i % 2 === 0 ? 3 : 1 / 3);
      return value;
    });
    expect(await y.item()).toBeCloseTo(1, 4);
  });
});

describe("profile", () => {
  it("makes room for its own buffers where memory is limited", async (context) => {
    if (!device.capabilities.timestampQuery) return context.skip();
    const { limitBytes } = device.memory;
    using x = device.zeros([64], "f32");
    device.scope(() => void full(device, [2 ** 20], 1, "f32")); // whose buffer is free then
    device.memory.limitBytes = device.memory.info().allocatedBytes;
    try {
      const { timings } = await device.recorder.profile(() => {
        device.copyInto(x, device.copyOf(x)); // what is recorded when the first query is asked for
        device.scope(() => void full(device, [8], 1, "f32"));
      });
      expect(timings.map(({ count }) => count)).toEqual([1]);
      await device.sync(); // or throws what went wrong
    } finally {
      device.memory.limitBytes = limitBytes;
    }
  });

  it("times every dispatch by its label, and frees its queries", async () => {
    expect(device.capabilities.timestampQuery).toBe(true);
    await device.memory.trim();
    const before = device.memory.info();
    const { result, timings } = await device.recorder.profile(async () => {
      using total = device.scope(() => {
        let x = full(device, [1000], 1, "f32");
        for (let i = 0; i < 600; i++) x = scale(x, 1);
        return sum(x);
      });
      return total.item();
    });
    expect(result).toBe(1000);
    expect(Object.fromEntries(timings.map(({ label, count }) => [label.split(" ")[0], count]))).toEqual({
      fill: 1,
      sumRows: 1,
      unary: 600,
    });
    for (const { totalMs } of timings) expect(totalMs).toBeGreaterThanOrEqual(0);
    await device.memory.trim();
    expect(device.memory.info()).toMatchObject({ allocatedBytes: before.allocatedBytes, liveStorages: before.liveStorages });
  });

  it("leaves the device usable when its body throws", async () => {
    await expect(
      device.recorder.profile(() => {
        full(device, [10], 1, "f32").dispose();
        throw new Error("stop");
      }),
    ).rejects.toThrow("stop");
    using x = full(device, [1], 4, "f32");
    expect(await x.item()).toBe(4);
  });
});

it("200 steps of forward, backward and AdamW need no more memory than the fifth", async () => {
  using own = await requestDevice();
  const shape = [64, 16];
  const [params, m, v] = [full(own, shape, 0.1, "f32"), own.zeros(shape, "f32"), own.zeros(shape, "f32")];
  const norm = full(own, [16], 1, "f32");
  const hidden = full(own, [20, 16], 0.3, "f32");
  const labels = own.tensor(
    Array.from({ length: 20 }, (_, i) => i),
    [20],
    "u32",
  );
  params.requiresGrad = true;
  let flat: { liveStorages: number; allocatedBytes: number } | undefined;
  let loss = 0;
  for (let step = 1; step <= 200; step++) {
    using lossTensor = own.scope("step", () => {
      const { logProbs } = linearLogProbs(rmsNorm(hidden, norm, { eps: 1e-6 }), params, labels, { metrics: true });
      const nll = scale(mean(logProbs), -1);
      const gradients = backward(nll);
      const grads = gradients.take(params)!;
      const hyper = own.tensor(
        adamwHyper({ learningRate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, step }),
        [adamwHyperSize],
        "f32",
      );
      adamwStep({ params, grads, m, v, hyper, clip: clipFactor(gradNorm([grads]), 1) });
      return nll;
    });
    if (step % 20 === 5) loss = await lossTensor.item();
    const { liveStorages, allocatedBytes } = own.memory.info();
    if (step === 5) flat = { liveStorages, allocatedBytes };
    else if (step > 5) expect({ liveStorages, allocatedBytes }).toEqual(flat);
  }
  expect(loss).toBeLessThan(Math.log(20) + 0.05); // the twenty labels share the mass of 64 that they began with
});

describe("a device", () => {
  it("refuses ops once it is disposed, and ops across devices", async () => {
    const other = await requestDevice();
    const [here, there] = [full(device, [1], 1, "f32"), full(other, [1], 1, "f32")];
    expect(() => mul(here, there)).toThrow("mul: b lives on another device; move all inputs to one device");
    other.dispose();
    other.dispose();
    expect(() => mul(there, there)).toThrow(DeviceLostError);
    here.dispose();
  });

  it("reports what the GPU refused at the next wait", async () => {
    using own = await requestDevice();
    own.gpuDevice.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE }); // not an allowed pair
    await expect(own.sync()).rejects.toThrow(DeviceLostError);
    using x = full(own, [1], 1, "f32");
    await expect(x.read()).rejects.toThrow(/^GPU: /); // nothing since then can be trusted
  });

  it("is opened by a part of its adapter's name, in any letter case", async () => {
    const name = device.capabilities.software ? "SWIFTSHADER" : device.capabilities.vendor;
    using named = await requestDevice({ adapter: name });
    expect(named.capabilities.description).toBe(device.capabilities.description);
    await expect(requestDevice({ adapter: "Voodoo 2" })).rejects.toThrow(CapabilityError);
    await expect(requestDevice({ adapter: "Voodoo 2" })).rejects.toThrow(
      /^requestDevice: no adapter of that name; expected a part of ".+", got "Voodoo 2"; leave adapter out for the best one$/,
    );
  });

  it("hardwareOnly refuses an adapter that runs on the CPU", async () => {
    if (device.capabilities.software) await expect(requestDevice({ hardwareOnly: true })).rejects.toThrow(CapabilityError);
    else (await requestDevice({ hardwareOnly: true })).dispose();
  });
});
