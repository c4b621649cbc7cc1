import { cast, exp, linear, mean, mul, requestDevice, scale, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { indices, Numbers } from "./case.js";
import { checkOp, type OpCase } from "./check-op.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

const square: OpCase<"x"> = {
  name: "square",
  inputs: { x: new Numbers(1).input([2, 3]) },
  run: ({ x }) => mul(x, x),
  reference: ({ x }) => x.map((value) => value * value),
};

describe("checkOp", () => {
  it("holds for an op, and says which kernels ran", async () => {
    const { kernels } = await checkOp(device, square);
    expect(kernels.length).toBeGreaterThan(0);
  });

  it("holds for a loss, whose reference is a number", async () => {
    const reference = ({ x }: { x: Float64Array }): number => x.reduce((sum, value) => sum + value * value, 0) / x.length;
    await checkOp(device, { ...square, run: ({ x }) => mean(mul(x, x)), reference });
  });

  it("runs every variant, and compares a large input at some places of its gradient", async () => {
    const [rows, depth, columns] = [40, 33, 9];
    const numbers = new Numbers(2);
    const { kernels } = await checkOp(device, {
      name: "linear",
      inputs: { x: numbers.input([rows, depth]), weight: numbers.input([columns, depth]) },
      run: ({ x, weight }) => linear(x, weight),
      reference: ({ x, weight }) =>
        Float64Array.from({ length: rows * columns }, (_, i) => {
          const [row, column] = [Math.floor(i / columns), i % columns];
          let sum = 0;
          for (let k = 0; k < depth; k++) sum += x[row * depth + k]! * weight[column * depth + k]!;
          return sum;
        }),
      tolerance: "gemm",
    });
    expect(kernels).toContain("matmul");
  });

  it.each<[string, Partial<OpCase<"x">>, RegExp]>([
    [
      "a value that is off",
      { reference: ({ x }) => x.map((value) => value * value + 1e-3) },
      /^expectClose: square: y \(chosen ways\): 6 of 6 values are off/,
    ],
    [
      "tighter numbers of one's own",
      { run: ({ x }) => exp(x), reference: ({ x }) => x.map(Math.exp), tolerance: { rtol: 1e-10, atol: 0 } },
      /rtol 1e-10/,
    ],
    ["a result of another size", { reference: () => [1, 2] }, /square: the reference gives 2 values; expected 6, as the op does/],
    ["an op without a gradient", { run: ({ x }) => scale(x.detach(), 2), reference: ({ x }) => x.map((value) => 2 * value) }, /gradient/],
    [
      "data that does not fit its shape",
      { inputs: { x: { ...square.inputs.x, shape: [7] } } },
      /^checkOp: square: data of input x; expected 7 values for \[7\], got 6$/,
    ],
    [
      "ids with a gradient",
      { inputs: { x: { ...indices([1, 2]), needsGradient: true } } },
      /dtype of input x; expected f32 or f16, as it needs a gradient, got u32$/,
    ],
  ])("refuses %s", async (_what, change, message) => {
    await expect(checkOp(device, { ...square, ...change })).rejects.toThrow(message);
  });

  it("refuses what leaves memory behind", async () => {
    const kept: Tensor[] = [];
    const run = ({ x }: { x: Tensor }): Tensor => {
      device.unscoped(() => kept.push(device.zeros([1], "f32")));
      return mul(x, x);
    };
    await expect(checkOp(device, { ...square, run })).rejects.toThrow(/square: \d+ storages were not given back/);
    for (const tensor of kept) tensor.dispose();
  });

  it("leaves no error scope open and nothing on the device when an op throws", async () => {
    const live = device.memory.info().liveStorages;
    await expect(checkOp(device, { ...square, run: ({ x }) => linear(x, x, x) })).rejects.toThrow(/linear/);
    expect(device.memory.info().liveStorages).toBe(live);
    await checkOp(device, square);
  });

  it("asks for a device with f16 where the case needs one", async () => {
    const half: OpCase<"x"> = {
      ...square,
      inputs: { x: new Numbers(1).input([3], { dtype: "f16" }) },
      run: ({ x }) => mul(cast(x, "f32"), cast(x, "f32")),
      storage: "f16",
    };
    if (device.capabilities.shaderF16) await checkOp(device, half);
    else await expect(checkOp(device, half)).rejects.toMatchObject({ code: "CAPABILITY", missing: "shader-f16" });
  });
});
