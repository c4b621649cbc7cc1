import { expectClose } from "../index.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backward, CapabilityError, causalAttention, mul, requestDevice, segmentBounds, sum, type Device, type Tensor } from "@kto/tensor";

let device: Device;

beforeAll(async () => {
  device = await requestDevice();
});

afterEach(() => device.recorder.variants.clear());
afterAll(() => device?.dispose());

const heads = { numHeads: 2, numKeyValueHeads: 1, headDim: 32 };

/** Numbers between −1 and 1 that f16 holds. */
function numbers(rows: number, rowSize: number, dtype: "f16" | "f32", seed: number): Tensor {
  const data = Float32Array.from({ length: rows * rowSize }, (_, i) => (((i + seed) * 7919) % 256) / 128 - 1);
  return device.tensor(data, [rows, rowSize], dtype);
}

function inputs(numTokens: number, dtype: "f16" | "f32"): { q: Tensor; k: Tensor; v: Tensor } {
  const made = { q: numbers(numTokens, 64, dtype, 1), k: numbers(numTokens, 32, dtype, 2), v: numbers(numTokens, 32, dtype, 3) };
  for (const tensor of Object.values(made)) tensor.requiresGrad = true;
  return made;
}

describe("causalAttention", () => {
  it("gives the worked example of the model's specification", async () => {
    const tensor = (...data: number[]): Tensor => device.tensor(data, [2, 2], "f32");
    const out = causalAttention(tensor(1, 0, 0.5, 0.5), tensor(1, 1, 0, 1), tensor(1, 2, 3, 4), {
      numHeads: 1,
      numKeyValueHeads: 1,
      headDim: 2,
      ...segmentBounds(device, [2]),
    });
    expectClose(await out.read(), [1, 2, 1.8250419983, 2.8250419983], { rtol: 1e-6, atol: 0, label: "attention" });
  });

  it("of no tokens is nothing, and so are its gradients", () => {
    const { q, k, v } = inputs(0, "f32");
    const out = causalAttention(q, k, v, { ...heads, ...segmentBounds(device, []) });
    using gradients = device.scope(() => backward(sum(mul(out, out))));
    expect(out.shape).toEqual([0, 64]);
    expect([q, k, v].map((tensor) => gradients.get(tensor)!.shape)).toEqual([
      [0, 64],
      [0, 32],
      [0, 32],
    ]);
  });

  it("keeps packed rows apart: each gives what it gives alone", async () => {
    const { q, k, v } = inputs(12, "f32");
    const packed = await causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [5, 7]) }).read();
    const rest = (tensor: Tensor): Tensor => device.viewOf(tensor, [4, tensor.shape[1]!], 8 * tensor.shape[1]! * 4, "last four");
    const single = await causalAttention(rest(q), rest(k), rest(v), { ...heads, ...segmentBounds(device, [4]) }).read();
    const alone = await causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [5, 3, 4]) }).read();
    expect([...alone.subarray(8 * 64)]).toEqual([...single]);
    expect([...alone.subarray(0, 8 * 64)]).toEqual([...packed.subarray(0, 8 * 64)]);
  });

  it("gives 0 and no gradient for masked tokens, whatever they hold", async () => {
    const { q, k, v } = inputs(6, "f32");
    const masked = 2 ** 32 - 1;
    const starts = device.tensor([masked, masked, 2, 2, 2, 2], [6], "u32");
    const ends = device.tensor([6, 6, 6, 6, 6, 6], [6], "u32");
    const out = causalAttention(q, k, v, { ...heads, starts, ends });
    using gradients = backward(sum(out));
    expect((await out.read()).subarray(0, 2 * 64).every((value) => value === 0)).toBe(true);
    for (const tensor of [q, k, v]) {
      const gradient = await gradients.get(tensor)!.read();
      expect(gradient.subarray(0, 2 * tensor.shape[1]!).every((value) => value === 0)).toBe(true);
    }
  });

  it("has a gradient that scales with dOut, however small, although matrix units take it in f16", async () => {
    device.recorder.variants.set("causalAttention", "matrix");
    for (const kernel of ["attentionMatrix", "attentionMatrixDq", "attentionMatrixDkDv"]) device.recorder.variants.set(kernel, "emulated");
    const scaled = async (scale: number): Promise<number[][]> => {
      const { q, k, v } = inputs(40, "f16");
      const out = causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [40]), dtype: "f32" });
      using gradients = backward(sum(mul(out, numbers(40, 64, "f32", 4))), { scale });
      return Promise.all([q, k, v].map(async (tensor) => Array.from(await gradients.get(tensor)!.read(), (value) => value / scale)));
    };
    expect(await scaled(2 ** -60)).toEqual(await scaled(1));
  });

  it("refuses to compute in a forced way that cannot", () => {
    device.recorder.variants.set("causalAttention", "matrix");
    const { q, k, v } = inputs(3, "f32");
    const refusal = "causalAttention: the way that variants forces cannot compute this; matrix: expected";
    expect(() => causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [3]) })).toThrow(
      `${refusal} q, k and v in f16, got f32; force another, or none`,
    );
    const half = inputs(3, "f16");
    const narrow = { numHeads: 4, numKeyValueHeads: 2, headDim: 16, dtype: "f32" as const };
    expect(() => causalAttention(half.q, half.k, half.v, { ...narrow, ...segmentBounds(device, [3]) })).toThrow(
      `${refusal} a headDim that is a multiple of 32, at most 128, got 16; force another, or none`,
    );
    device.recorder.variants.delete("causalAttention");
    const out = causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [3]) });
    device.recorder.variants.set("causalAttention", "matrix");
    expect(() => backward(sum(out))).toThrow(CapabilityError);
  });

  it("computes only the gradients that are needed", () => {
    const { q, k, v } = inputs(3, "f32");
    q.requiresGrad = false;
    v.requiresGrad = false;
    using gradients = backward(sum(causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [3]) })));
    expect([q, k, v].map((tensor) => gradients.get(tensor) !== undefined)).toEqual([false, true, false]);
  });

  it("of the last tokens, with the keys of all, gives what attention of all tokens gives them", async () => {
    const { q, k, v } = inputs(12, "f32");
    const whole = await causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [12]) }).read();
    const last = device.tensor(Float32Array.from((await q.read()).subarray(9 * 64)), [3, 64], "f32");
    for (const variant of ["subgroup", "plain"]) {
      device.recorder.variants.set("attention", variant);
      const some = await causalAttention(last, k, v, { ...heads, ...segmentBounds(device, [3], [12]) }).read();
      expectClose(some, whole.subarray(9 * 64), { rtol: 1e-6, atol: 1e-7, label: variant });
    }
  });

  it("has no gradient with fewer queries than keys, and says so", () => {
    const { q } = inputs(1, "f32");
    const { k, v } = inputs(3, "f32");
    const out = causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [1], [3]) });
    expect(() => backward(sum(out))).toThrow(
      "causalAttention: gradients need a query for every key; expected none of lastKeys, got 1 queries placed among 3 keys; run what keeps keys inside device.noGrad",
    );
  });

  it("says what does not fit", () => {
    const { q, k, v } = inputs(3, "f32");
    const bounds = segmentBounds(device, [3]);
    expect(() => causalAttention(q, k, v, { ...heads, numHeads: 3, numKeyValueHeads: 2, ...bounds })).toThrow(
      "query heads do not divide into groups; expected a multiple of numKeyValueHeads 2, got 3",
    );
    expect(() => causalAttention(q, q, v, { ...heads, ...bounds })).toThrow(
      "causalAttention: k has the wrong shape; expected [3, 32], got [3, 64]",
    );
    expect(() => causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [2]) })).toThrow(
      "causalAttention: starts has the wrong shape; expected [3], got [2]",
    );
    expect(() => segmentBounds(device, [1.5])).toThrow("segmentBounds: lengths must be non-negative integers; got 1.5");
    expect(() => segmentBounds(device, [2], [1])).toThrow(
      "segmentBounds: row 0 has more queries than keys; expected at most 1 queries, got 2; count earlier keys and those of the queries",
    );
    expect(() => segmentBounds(device, [1], [3, 1])).toThrow("segmentBounds: expected as many keyLengths as lengths, 1; got 2");
    expect(() => causalAttention(q, k, v, { ...heads, ...segmentBounds(device, [1], [3]) })).toThrow(
      "causalAttention: starts has the wrong shape; expected [3], got [1]",
    );
    const none = device.zeros([0, 32], "f32");
    expect(() => causalAttention(q, none, none, { ...heads, ...bounds, lastKeys: bounds.starts })).toThrow(
      "causalAttention: no keys; expected at least one for 3 queries, got 0",
    );
  });
});
