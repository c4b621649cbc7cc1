import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backward, full, lowRankAdd, requestDevice, sum, type Device } from "../index.js";

// Values and gradients of lowRankAdd in every variant are compared with float64 by the cases of packages/testing/src/oracle.

let device: Device;

beforeAll(async () => {
  device = await requestDevice();
});

afterAll(() => device?.dispose());

describe("lowRankAdd", () => {
  it("is y = base + scale · (x · aᵀ) · bᵀ", async () => {
    using base = device.tensor([100, 200], [1, 2], "f32");
    using x = device.tensor([1, 2, 3], [1, 3], "f32");
    using a = device.tensor([1, 1, 1], [1, 3], "f32");
    using b = device.tensor([2, -1], [2, 1], "f32");
    using y = lowRankAdd(base, x, a, b, { scale: 0.5 });
    expect([...(await y.read())]).toEqual([106, 197]);
  });

  it("drops features of x in the low-rank branch only", async () => {
    using base = device.tensor([100, 200], [1, 2], "f32");
    using x = device.tensor([1, 2, 3], [1, 3], "f32");
    using a = device.tensor([1, 1, 1], [1, 3], "f32");
    using b = device.tensor([2, -1], [2, 1], "f32");
    using dropout = device.tensor([0, 2, 2], [1, 3], "f32");
    using y = lowRankAdd(base, x, a, b, { scale: 0.5, dropout });
    expect([...(await y.read())]).toEqual([110, 195]);
  });

  it("a b of 1e-6 survives, since sums are f32 and rounded once", async () => {
    using base = full(device, [64, 64], 1, "f32");
    using x = full(device, [64, 64], 1, "f32");
    using a = full(device, [16, 64], 1, "f32");
    using b = full(device, [64, 16], 1e-6, "f32");
    using y = lowRankAdd(base, x, a, b, { scale: 2 });
    const [value] = await y.read();
    expect(value).toBeCloseTo(1 + 2 * 64 * 16 * 1e-6, 6);
  });

  it("the sum is rounded to f16 once, not the product before it", async () => {
    if (!device.capabilities.shaderF16) return; // no f16 tensors there
    using base = full(device, [16, 16], 1 + 2 ** -12, "f32"); // a quarter of a unit in the last place of f16
    using x = full(device, [16, 16], 1, "f32");
    using a = full(device, [8, 16], 2 ** -7, "f32");
    using b = full(device, [16, 8], 2 ** -12, "f32");
    using y = lowRankAdd(base, x, a, b, { scale: 1.5, dtype: "f16" });
    expect([...(await y.read())]).toEqual(Array(256).fill(1 + 2 ** -10));
  });

  it("gives gradients to what needs them, and frees everything else", async () => {
    const before = device.memory.info().liveStorages;
    using base = device.tensor([100, 200], [1, 2], "f32");
    using x = device.tensor([1, 2, 3], [1, 3], "f32");
    using a = device.tensor([1, 1, 1], [1, 3], "f32");
    using b = device.tensor([2, -1], [2, 1], "f32");
    for (const leaf of [base, a, b]) leaf.requiresGrad = true;
    using gradients = device.scope(() => backward(sum(lowRankAdd(base, x, a, b, { scale: 0.5 }))));
    expect([...(await gradients.get(base)!.read())]).toEqual([1, 1]);
    expect([...(await gradients.get(a)!.read())]).toEqual([0.5, 1, 1.5]);
    expect([...(await gradients.get(b)!.read())]).toEqual([3, 3]);
    expect(gradients.get(x)).toBeUndefined();
    expect(device.memory.info().liveStorages).toBe(before + 7);
  });

  it("names sizes and dtypes that do not fit", () => {
    using base = device.zeros([2, 5], "f32");
    using x = device.zeros([2, 4], "f32");
    using a = device.zeros([3, 4], "f32");
    using b = device.zeros([5, 3], "f32");
    using wrong = device.zeros([3, 5], "f32");
    expect(() => lowRankAdd(base, x, wrong, b, { scale: 1 })).toThrow("lowRankAdd: a has the wrong shape; expected [3, 4], got [3, 5]");
    expect(() => lowRankAdd(base, x, a, wrong, { scale: 1 })).toThrow("lowRankAdd: b has the wrong shape; expected [5, 3], got [3, 5]");
    expect(() => lowRankAdd(wrong, x, a, b, { scale: 1 })).toThrow("lowRankAdd: base has the wrong shape; expected [2, 5], got [3, 5]");
    expect(() => lowRankAdd(base, x, a, b, { scale: 1, dropout: wrong })).toThrow(
      "lowRankAdd: dropout has the wrong shape; expected [2, 4], got [3, 5]",
    );
    using ids = device.zeros([2, 4], "i32");
    expect(() => lowRankAdd(base, ids, a, b, { scale: 1 })).toThrow("lowRankAdd: x has the wrong dtype; expected f32 or f16, got i32");
  });
});
