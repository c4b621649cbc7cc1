import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backward, linear, requestDevice, sum, type Device } from "../index.js";

// Values and gradients of linear in every variant are compared with float64 by the cases of packages/testing/src/oracle.

let device: Device;

beforeAll(async () => {
  device = await requestDevice();
});

afterAll(() => device?.dispose());

describe("linear", () => {
  it("is y = x · weightᵀ + bias", async () => {
    using x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3], "f32");
    using weight = device.tensor([1, 0, -1, 2, 2, 2], [2, 3], "f32");
    using bias = device.tensor([10, 20], [2], "f32");
    using y = linear(x, weight, bias);
    expect([...(await y.read())]).toEqual([8, 32, 8, 50]);
  });

  it("gives gradients to what needs them, and frees everything else", async () => {
    const before = device.memory.info().liveStorages;
    using x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3], "f32");
    using weight = device.tensor([1, 0, -1, 2, 2, 2], [2, 3], "f32");
    using bias = device.tensor([10, 20], [2], "f32");
    x.requiresGrad = true;
    bias.requiresGrad = true;
    using gradients = device.scope(() => backward(sum(linear(x, weight, bias))));
    expect([...(await gradients.get(x)!.read())]).toEqual([3, 2, 1, 3, 2, 1]);
    expect([...(await gradients.get(bias)!.read())]).toEqual([2, 2]);
    expect(gradients.get(weight)).toBeUndefined();
    expect(device.memory.info().liveStorages).toBe(before + 5);
  });

  it("a weight that is trained gets dyᵀ · x", async () => {
    using x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3], "f32");
    using weight = device.tensor([1, 0, -1, 2, 2, 2], [2, 3], "f32");
    weight.requiresGrad = true;
    using gradients = device.scope(() => backward(sum(linear(x, weight))));
    expect([...(await gradients.get(weight)!.read())]).toEqual([5, 7, 9, 5, 7, 9]);
  });

  it("no tokens give no rows", async () => {
    using x = device.tensor([], [0, 3], "f32");
    using weight = device.tensor([1, 0, -1, 2, 2, 2], [2, 3], "f32");
    using y = linear(x, weight);
    expect(y.shape).toEqual([0, 2]);
  });

  it("names sizes and dtypes that do not fit", () => {
    using x = device.zeros([2, 3], "f32");
    using weight = device.zeros([5, 4], "f32");
    using bias = device.zeros([4], "f32");
    using ids = device.zeros([2, 4], "u32");
    using wide = device.zeros([2, 4], "f32");
    expect(() => linear(x, weight)).toThrow(
      "linear: inner dimensions differ; expected x [T, in] and weight [out, in], got x [2, 3] with weight [5, 4]",
    );
    expect(() => linear(wide, weight, bias)).toThrow("linear: bias has the wrong shape; expected [5], got [4]");
    expect(() => linear(ids, weight)).toThrow("linear: x has the wrong dtype; expected f32 or f16, got u32");
  });
});
