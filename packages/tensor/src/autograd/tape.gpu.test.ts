import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  add,
  backward,
  checkpoint,
  full,
  linear,
  mul,
  requestDevice,
  rmsNorm,
  scale,
  ShapeError,
  sigmoid,
  sub,
  sum,
  swiGlu,
  view,
  type Device,
  type Tensor,
} from "../index.js";

let device: Device;
let before = 0;

beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());
beforeEach(() => {
  before = device.memory.info().liveStorages;
});
afterEach(() => expect(device.memory.info().liveStorages, "live storages").toBe(before));

/** Gradients of the leaves of a loss, read and freed. */
async function gradientsOf(build: (leaves: Tensor[]) => Tensor, values: number[][], scaleBy = 1): Promise<number[][]> {
  const made = device.scope(() => {
    const leaves = values.map((each) => device.tensor(each, [each.length], "f32"));
    for (const leaf of leaves) leaf.requiresGrad = true;
    const gradients = backward(build(leaves), { scale: scaleBy });
    expect(gradients.size).toBe(leaves.length);
    return leaves.map((leaf) => gradients.take(leaf)!);
  });
  const read: number[][] = [];
  for (const gradient of made) {
    read.push([...(await gradient.read())]);
    gradient.dispose();
  }
  return read;
}

describe("backward", () => {
  it("adds what comes back along both sides of a diamond", async () => {
    // y = (2x) · (x + 1): dy/dx = 4x + 2
    expect(await gradientsOf(([x]) => sum(mul(scale(x!, 2), add(x!, full(device, [1], 1, "f32")))), [[1, -2, 0.5]])).toEqual([[6, -6, 4]]);
  });

  it("runs a node once, after all its consumers", async () => {
    // a = x², b = a + a, c = b · a = 2x⁴: dc/dx = 8x³
    expect(
      await gradientsOf(
        ([x]) => {
          const a = mul(x!, x!);
          return sum(mul(add(a, a), a));
        },
        [[1, 2, -1]],
      ),
    ).toEqual([[8, 64, -8]]);
  });

  it("does not let two leaves that share a gradient change each other's", async () => {
    // add hands the same dy to both; the second use of x adds to its share only
    expect(
      await gradientsOf(
        ([x, y]) => {
          const both = add(x!, y!);
          return sum(add(both, scale(x!, 10)));
        },
        [
          [1, 2],
          [3, 4],
        ],
      ),
    ).toEqual([
      [11, 11],
      [1, 1],
    ]);
  });

  it("passes the same dy through views and differences", async () => {
    expect(
      await gradientsOf(
        ([x, y]) => sum(sub(view(x!, [2, 1]), view(y!, [2, 1]))),
        [
          [1, 2],
          [3, 4],
        ],
      ),
    ).toEqual([
      [1, 1],
      [-1, -1],
    ]);
  });

  it("multiplies every gradient by the scale", async () => {
    expect(await gradientsOf(([x]) => sum(mul(x!, x!)), [[3, 5]], 1024)).toEqual([[6 * 1024, 10 * 1024]]);
  });

  it("gives a leaf that is itself the loss a gradient of 1", async () => {
    expect(await gradientsOf(([x]) => x!, [[7]])).toEqual([[1]]);
  });

  it("refuses what is not a scalar, and a second run", () => {
    device.scope(() => {
      const x = full(device, [2], 1, "f32");
      x.requiresGrad = true;
      expect(() => backward(mul(x, x))).toThrow("backward: expected a scalar, got shape [2]; reduce it with sum or mean first");
      const loss = sum(mul(x, x));
      backward(loss).dispose();
      expect(() => backward(loss)).toThrow(ShapeError);
      expect(() => backward(loss)).toThrow(/was already run backward, or its scope ended; record the forward pass again/);
    });
  });
});

describe("the tape", () => {
  it("is not written for inputs that need no gradient, nor inside noGrad", () => {
    device.scope(() => {
      const frozen = full(device, [2], 1, "f32");
      expect(mul(frozen, frozen).node).toBeUndefined();
      const leaf = full(device, [2], 1, "f32");
      leaf.requiresGrad = true;
      expect(device.noGrad(() => mul(leaf, leaf)).node).toBeUndefined();
      expect(mul(leaf, frozen).node).toBeDefined();
      expect(() =>
        device.noGrad(() => {
          throw new Error("stop");
        }),
      ).toThrow("stop");
      expect(device.isRecordingGradients).toBe(true);
    });
  });

  it("stops at detach()", async () => {
    expect(await gradientsOf(([x]) => sum(mul(x!, x!.detach())), [[3, 5]])).toEqual([[3, 5]]);
  });

  it("gives no gradient to an input that needs none", () => {
    device.scope(() => {
      const [x, frozen] = [full(device, [2], 2, "f32"), full(device, [2], 5, "f32")];
      x.requiresGrad = true;
      using gradients = backward(sum(mul(x, frozen)));
      expect([...gradients.entries()].map(([leaf]) => leaf)).toEqual([x]);
    });
  });
});

describe("checkpoint", () => {
  const blocks =
    (wrap: (block: (x: Tensor) => Tensor, x: Tensor) => Tensor) =>
    ([x, w]: Tensor[]): Tensor => {
      const block = (input: Tensor): Tensor => add(input, swiGlu(rmsNorm(input, w!, { eps: 1e-6 }), sigmoid(mul(input, w!))));
      const y = wrap(block, wrap(block, wrap(block, view(x!, [2, 3]))));
      return sum(mul(y, y));
    };
  const values = [
    [0.5, -1, 2, 0.25, 1.5, -0.75],
    [1, 0.5, -2],
  ];

  it("gives the same gradients, bit for bit, of inputs and of parameters", async () => {
    expect(await gradientsOf(blocks(checkpoint), values)).toEqual(
      await gradientsOf(
        blocks((block, x) => block(x)),
        values,
      ),
    );
  });

  it("keeps one tensor a block instead of all of its activations", () => {
    const held = (wrap: Parameters<typeof blocks>[0]): number => {
      const start = device.memory.info().liveStorages;
      const loss = device.scope(() => {
        const leaves = values.map((each) => device.unscoped(() => device.tensor(each, [each.length], "f32")));
        for (const leaf of leaves) leaf.requiresGrad = true;
        return { loss: blocks(wrap)(leaves), leaves };
      });
      const count = device.memory.info().liveStorages - start;
      backward(loss.loss).dispose();
      for (const tensor of [loss.loss, ...loss.leaves]) tensor.dispose();
      return count;
    };
    expect(held(checkpoint)).toBe(6); // two leaves, three results of blocks, the loss
    expect(held((block, x) => block(x))).toBe(15); // and of each block the norm, its statistics and the gate
  });

  it("holds what it is told to keep until the gradient is there, though its scope ended", async () => {
    const x = device.tensor([3, 5], [2], "f32");
    x.requiresGrad = true;
    /** x · factor² in two blocks; the factor goes with the scope of the forward pass. */
    const forward = (keep: boolean): { loss: Tensor; factor: Tensor } => {
      let factor: Tensor | undefined;
      const loss = device.scope(() => {
        const made = (factor = device.tensor([2, -4], [2], "f32"));
        const block = (input: Tensor): Tensor => mul(input, made);
        const options = keep ? { keep: [made] } : {};
        return sum(checkpoint(block, checkpoint(block, x, options), options));
      });
      return { loss, factor: factor! };
    };
    const { loss, factor } = forward(true);
    expect(factor.isDisposed).toBe(false);
    full(device, [2], 7, "f32").dispose(); // would take the factor's buffer
    const gradients = backward(loss);
    expect([...(await gradients.get(x)!.read())]).toEqual([4, 16]);
    expect(factor.isDisposed).toBe(true);
    gradients.dispose();
    loss.dispose();

    device.scope(() => {
      const { loss: lost } = device.scope(() => forward(false));
      expect(() => backward(lost)).toThrow(/mul: tensor #\d+ \(tensor\) was freed when its scope/);
    });
    x.dispose();
  });

  it("lets what it keeps go when nothing reaches the block any more, and not before its owner does", () => {
    device.scope(() => {
      const [x, factor] = [full(device, [2], 3, "f32"), full(device, [2], 2, "f32")];
      x.requiresGrad = true;
      const forward = (): Tensor => checkpoint((input) => mul(input, factor), x, { keep: [factor] });
      device.scope(() => void forward());
      expect(factor.isDisposed).toBe(false);
      const y = forward();
      factor.dispose();
      expect(factor.isDisposed).toBe(false);
      backward(sum(y)).dispose();
      expect(factor.isDisposed).toBe(true);
    });
  });

  it("inside noGrad only runs the block", () => {
    device.scope(() => {
      const x = full(device, [2], 3, "f32");
      x.requiresGrad = true;
      expect(device.noGrad(() => checkpoint((input) => mul(input, input), x)).node).toBeUndefined();
    });
  });
});

describe.each(["f32", "f16"] as const)("a gradient in %s, as swiGlu gives it", (dtype) => {
  /** h = x · weightᵀ + bias with every element 20, where silu has slope 1; each of 8 rows gives 1000 through `swiGlu`. */
  const layer = (bias: Tensor, weight: Tensor): { h: Tensor; up: Tensor } => ({
    h: linear(full(device, [8, 16], 1, "f32"), view(weight, [16, 16]), bias, { dtype }),
    up: full(device, [8, 16], 1000, dtype),
  });
  const leaves = [Array.from({ length: 16 }, () => 4), Array.from({ length: 256 }, () => 1)];

  it("reaches bias and weight of the layer behind it", async () => {
    if (dtype === "f16" && !device.capabilities.shaderF16) return; // no f16 tensors there
    const found = await gradientsOf(([bias, weight]) => {
      const { h, up } = layer(bias!, weight!);
      return sum(swiGlu(h, up));
    }, leaves);
    for (const value of found.flat()) expect(Math.abs(value - 8000)).toBeLessThan(0.1);
  });

  it("is added to others in f32", async () => {
    if (dtype === "f16" && !device.capabilities.shaderF16) return;
    const [dBias] = await gradientsOf(([bias, weight]) => {
      const { h, up } = layer(bias!, weight!);
      const other = linear(h, full(device, [16, 16], 0.02, "f32")); // 0.32 more, where f16 counts in halves
      return add(sum(other), sum(swiGlu(h, up)));
    }, leaves);
    for (const value of dBias!) expect(Math.abs(value - 8 * 1000.32)).toBeLessThan(0.1);
  });
});
